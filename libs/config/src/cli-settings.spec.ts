import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCliSettings, takesColour } from './cli-settings.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'spine-cli-settings-'));
  mkdirSync(join(cwd, 'secrets'));
  writeFileSync(join(cwd, 'secrets', 'key'), 'of-a-file\n', { mode: 0o600 });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const load = (env: Record<string, string>) => loadCliSettings({ env, cwd, home: cwd });

describe('what the command needs', () => {
  it('is the local API without a key, when nothing is said', async () => {
    expect(await load({})).toEqual({
      url: 'http://127.0.0.1:3000',
      urlIsSet: false,
      dataDir: join(cwd, '.spine'),
      apiKey: undefined,
    });
    expect(await load({ SPINE_URL: 'http://127.0.0.1:3000', SPINE_DATA_DIR: '/var/spine' })).toMatchObject({
      urlIsSet: true,
      dataDir: '/var/spine',
    });
  });

  it('may stand in an env file, and refer to a secret', async () => {
    writeFileSync(join(cwd, '.env'), 'SPINE_URL=https://spine.example.com\nSPINE_API_KEY=secret:file:key\n');
    const { url, apiKey } = await load({ SPINE_SECRETS_DIR: 'secrets' });
    rmSync(join(cwd, '.env'));
    expect([url, apiKey?.reveal()]).toEqual(['https://spine.example.com', 'of-a-file']);
    expect(JSON.stringify({ apiKey })).not.toContain('of-a-file');
  });

  it('does not ask whether the other settings are right, nor for their secrets', async () => {
    const env = { SPINE_PORT: 'many', SPINE_DATABASE_URL: 'secret:file:gone', SPINE_API_KEY: 'k' };
    expect((await load(env)).apiKey?.reveal()).toBe('k');
  });

  it('is refused by name, and a key is never quoted', async () => {
    const loading = load({ SPINE_URL: 'http://user:hunter2@x', SPINE_API_KEY: 'hunter2 x' });
    await expect(loading).rejects.toThrow(
      /SPINE_URL: given [\s\S]*SPINE_API_KEY: given a value of 9 characters/,
    );
    await expect(loading).rejects.not.toThrow('hunter2');
  });
});

describe('colours', () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
  ])('terminal %j with %j: %j', (isTerminal, env, takes) => {
    expect(takesColour(isTerminal, env)).toBe(takes);
  });
});
