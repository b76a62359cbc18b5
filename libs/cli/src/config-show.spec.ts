import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VARIABLE_NAMES } from '@spine/config';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runConfig } from './config-show.ts';
import type { ConfigCommand } from './config-show.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'spine-show-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

async function run(command: Partial<ConfigCommand>, env: Record<string, string> = {}) {
  const said = { out: '', problem: '' };
  const code = await runConfig(
    { action: 'show', role: 'launcher', json: false, ...command },
    { out: (text) => void (said.out += text), problem: (text) => void (said.problem += text) },
    { env, cwd, home: join(cwd, 'home') },
  );
  return { code, ...said };
}

const SECRETS = {
  SPINE_API_KEYS: 'hunter2-hunter2-hunter2',
  SPINE_DATABASE_URL: 'postgres://spine:hunter2@db/spine',
  SPINE_REDIS_URL: 'redis://:hunter2@redis',
  SPINE_VAULT_TOKEN: 'hunter2',
};

describe('spine config show', () => {
  it('names every setting once, with its source, and shows no secret', async () => {
    writeFileSync(
      join(cwd, '.env'),
      'SPINE_LANES=slow\nSPINE_SECRET_X=hunter2\nSPINE_PORT=secret:env:PORT\n',
    );
    mkdirSync(join(cwd, '.spine/profiles'), { recursive: true });
    writeFileSync(join(cwd, '.spine/profiles/p.toml'), '[settings]\nSPINE_WORKERS = 1\n');
    const env = { ...SECRETS, SPINE_PROFILE: 'p', SPINE_FF_PUBLISH_EVENTS: 'false', PORT: 'hunter2' };
    const { code, out, problem } = await run({}, env);
    expect({ code, problem }).toEqual({ code: 0, problem: '' });
    expect(out).not.toContain('hunter2');
    const rows = new Map(
      out
        .split('\n')
        .map((line) => line.split(/ {2,}/))
        .map(([name = '', ...cells]) => [name, cells]),
    );
    for (const name of VARIABLE_NAMES) expect(rows.has(name), name).toBe(true);
    expect(rows.get('SPINE_HOST')).toEqual(['127.0.0.1', 'default']);
    expect(rows.get('SPINE_LANES')).toEqual(['slow', '.env']);
    expect(rows.get('SPINE_WORKERS')).toEqual(['1', 'profile p']);
    expect(rows.get('SPINE_DATABASE_URL')).toEqual(['[REDACTED]', 'environment']);
    expect(rows.get('SPINE_PORT')).toEqual(['[REDACTED] (reference)', '.env']);
    expect(rows.get('SPINE_RETENTION_DAYS')).toEqual(['0', 'default']);
    expect(rows.get('publish_events')).toEqual(['false', 'environment']);
    expect(out).toContain('tier minimal; default < profile p < .env < environment');
  });

  it('as JSON says the same', async () => {
    const { out } = await run({ json: true }, SECRETS);
    expect(out).not.toContain('hunter2');
    const shown = JSON.parse(out) as Record<string, unknown>;
    expect(shown).toMatchObject({ tier: 'minimal', profile: null, layers: ['default', 'environment'] });
    expect(shown['settings']).toContainEqual({ name: 'SPINE_PAYLOAD_DIR', value: null, source: 'default' });
    expect(shown['settings']).toContainEqual({
      name: 'SPINE_VAULT_TOKEN',
      value: '[REDACTED]',
      source: 'environment',
    });
    expect(shown['flags']).toEqual([
      {
        name: 'publish_events',
        type: 'boolean',
        setting: true,
        source: 'default',
        variable: 'SPINE_FF_PUBLISH_EVENTS',
      },
    ]);
  });

  it('shows settings that could not be used: that is when one looks', async () => {
    const { code, out } = await run({}, { SPINE_PORT: 'many' });
    expect(code).toBe(0);
    expect(out).toMatch(/SPINE_PORT +many +environment/);
  });

  it('fails for a profile that is not there', async () => {
    const { code, problem } = await run({}, { SPINE_PROFILE: 'gone' });
    expect(code).toBe(1);
    expect(problem).toContain('profile gone');
  });
});

describe('spine config check', () => {
  it('is content with what a process could start with, and passes its warnings on', async () => {
    const { code, out } = await run({ action: 'check' }, { SPINE_WORKERS: '0' });
    expect(code).toBe(0);
    expect(out).toContain('warning: SPINE_WORKERS is 0');
    expect(out).toContain('the settings can be used by role launcher (tier minimal)');
  });

  it('is not for a role that needs more, and shows no secret', async () => {
    const { code, problem } = await run(
      { action: 'check', role: 'worker' },
      { SPINE_REDIS_URL: 'hunter2', SPINE_TIER: 'full' },
    );
    expect(code).toBe(1);
    expect(problem).toContain('SPINE_DATABASE_URL: not set');
    expect(problem).toContain('SPINE_REDIS_URL: given a value of 7 characters');
    expect(problem).not.toContain('hunter2');
  });

  it('resolves references', async () => {
    const env = { SPINE_PORT: 'secret:env:PORT' };
    expect(await run({ action: 'check' }, env)).toMatchObject({ code: 1 });
    expect(await run({ action: 'check' }, { ...env, PORT: '3001' })).toMatchObject({ code: 0 });
    const { out } = await run({ action: 'check', json: true }, env);
    expect(JSON.parse(out)).toEqual({
      role: 'launcher',
      usable: false,
      problem: '1 setting is not usable:\n  SPINE_PORT: secret:env:PORT: there is no such secret',
      warnings: [],
    });
  });
});
