import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { identifyProcess } from '@spine/database/embedded';
import { CliContext } from '../frame/context.ts';
import { Options } from '../frame/options.ts';
import { localUrl } from './local-url.ts';
import { renderLock } from './lock-record.ts';
import type { LockRecord } from './lock-record.ts';

const URL_OF_LOCK = 'http://127.0.0.1:1/of-the-lock';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'spine-local-url-'));
});
beforeEach(() => rmSync(join(cwd, '.spine'), { recursive: true, force: true }));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function started(change: Partial<LockRecord> = {}, dataDir = '.spine'): void {
  mkdirSync(join(cwd, dataDir), { recursive: true });
  const record: LockRecord = {
    token: 't',
    launcher: identifyProcess(process.pid),
    state: 'running',
    url: URL_OF_LOCK,
    children: [],
    ...change,
  };
  writeFileSync(join(cwd, dataDir, 'launcher.json'), renderLock(record));
}

/** Which API a command with these options and variables calls. */
async function asked(options: object = {}, env: Record<string, string> = {}): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const context = new CliContext({
    stdin: Readable.from([]),
    stdout: nowhere,
    stderr: nowhere,
    cwd,
    env,
    interrupts: () => new AbortController().signal,
  });
  context.configure(new Options({ ...options }));
  const { url, origin } = await context.target();
  return `${origin} ${url}`;
}

const LOCAL = `launcher ${URL_OF_LOCK}`;

describe('a system that was started in this folder', () => {
  it('is the API that commands call', async () => {
    expect(await asked()).toBe('default http://127.0.0.1:3000');
    started();
    expect(await asked()).toBe(LOCAL);
  });

  it('is found by its data directory', async () => {
    started({}, 'elsewhere');
    expect(await asked({}, { SPINE_DATA_DIR: 'elsewhere' })).toBe(LOCAL);
  });

  it('gives way to --url, to SPINE_URL and to an env file', async () => {
    started();
    const env = { SPINE_URL: 'http://x/of-the-environment' };
    expect(await asked({}, env)).toBe('settings http://x/of-the-environment');
    expect(await asked({ url: 'http://x/of-the-option' }, env)).toBe('option http://x/of-the-option');
    writeFileSync(join(cwd, '.env'), 'SPINE_URL=http://x/of-the-file\n');
    const ofFile = await asked();
    rmSync(join(cwd, '.env'));
    expect(ofFile).toBe('settings http://x/of-the-file');
  });

  it('is not believed when it is gone, still starting, or no lock at all', () => {
    expect(localUrl(join(cwd, '.spine'))).toBeNull();
    // A pid that is used again is another process.
    started({ launcher: { pid: process.pid, startTime: 'another' } });
    expect(localUrl(join(cwd, '.spine'))).toBeNull();
    started({ state: 'starting', url: null });
    expect(localUrl(join(cwd, '.spine'))).toBeNull();
    writeFileSync(join(cwd, '.spine', 'launcher.json'), '{"url": "http://127.0.0.1:1/torn"');
    expect(localUrl(join(cwd, '.spine'))).toBeNull();
  });
});
