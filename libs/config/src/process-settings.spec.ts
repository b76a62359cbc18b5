import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigError } from '@spine/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProfileCycleError, ProfileNotFoundError } from './cascade/profiles.ts';
import { loadProcessSettings, openProcessSettings, readProcessConfiguration } from './process-settings.ts';
import { loadSettings } from './settings.ts';
import type { Environment } from './settings-model.ts';

let root: string;
let cwd: string;
let home: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spine-config-'));
  cwd = join(root, 'project');
  home = join(root, 'home');
  mkdirSync(cwd);
  mkdirSync(home);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o600 });
}

const load = (env: Environment = {}) => loadProcessSettings({ role: 'launcher', env, cwd, home });

const port = async (env: Environment = {}) => (await load(env)).api.port;

describe('the cascade', () => {
  it('without any file is the environment alone', async () => {
    const env = { SPINE_PORT: '4000', SPINE_FF_PUBLISH_EVENTS: 'false', PATH: '/bin' };
    const { flags, ...settings } = await load(env);
    const { flags: expectedFlags, ...expected } = loadSettings(env, { role: 'launcher', cwd });
    expect(settings).toEqual(expected);
    expect(flags.list()).toEqual(expectedFlags.list());
  });

  it('goes default < profile < .env.base < .env.{tier} < .env.local < .env < environment', async () => {
    expect(await port()).toBe(3000);
    write('project/.spine/profiles/base.toml', '[settings]\nSPINE_PORT = 4001');
    expect(await port()).toBe(3000);
    expect(await port({ SPINE_PROFILE: 'base' })).toBe(4001);
    write('project/.spine/profiles/heir.toml', 'inherits = "base"\n[settings]\nSPINE_PORT = 4002');
    expect(await port({ SPINE_PROFILE: 'heir' })).toBe(4002);
    write('project/.env.base', 'SPINE_PROFILE=heir');
    expect(await port()).toBe(4002);
    write('project/.env.base', 'SPINE_PROFILE=heir\nSPINE_PORT=4003');
    expect(await port()).toBe(4003);
    write('project/.env.prod', 'SPINE_PORT=4004');
    expect(await port()).toBe(4003);
    expect(await port({ SPINE_TIER: 'prod' })).toBe(4004);
    write('project/.env.local', 'SPINE_PORT=4005\nSPINE_TIER=prod');
    expect(await port()).toBe(4005);
    write('project/.env', 'SPINE_PORT=4006');
    expect(await port()).toBe(4006);
    expect(await port({ SPINE_PORT: '' })).toBe(4006);
    expect(await port({ SPINE_PORT: '4007' })).toBe(4007);
  });

  it('says where each value came from', () => {
    write('project/.env.base', 'SPINE_LANES=slow\nSPINE_PORT=1');
    write('project/.env.minimal', 'SPINE_WORKERS=1');
    write('home/.spine/profiles/mine.toml', '[settings]\nSPINE_LOG_LEVEL = "debug"');
    const { merged, layers, tier, profile } = readProcessConfiguration({
      env: { SPINE_PORT: '2', SPINE_PROFILE: 'mine' },
      cwd,
      home,
    });
    expect({ tier, profile }).toEqual({ tier: 'minimal', profile: 'mine' });
    expect(layers.map(({ source }) => source)).toEqual([
      'profile mine',
      '.env.base',
      '.env.minimal',
      'environment',
    ]);
    expect(Object.fromEntries([...merged].map(([name, { source }]) => [name, source]))).toEqual({
      SPINE_LOG_LEVEL: 'profile mine',
      SPINE_LANES: '.env.base',
      SPINE_PORT: 'environment',
      SPINE_WORKERS: '.env.minimal',
      SPINE_PROFILE: 'environment',
    });
  });

  it('executes and expands nothing in a value', async () => {
    write('project/.env', 'SPINE_DATA_DIR=$(touch pwned)${HOME}`id`\n');
    expect((await load({ HOME: '/root' })).dataDir).toBe(join(cwd, '$(touch pwned)${HOME}`id`'));
  });

  it('checks values of files as it checks the environment', async () => {
    write('project/.env', 'SPINE_PORT=many\nSPINE_WORKER=3');
    await expect(load()).rejects.toThrow('SPINE_PORT: given "many"');
    const { warnings } = await load({ SPINE_PORT: '1' });
    expect(warnings).toEqual([
      'SPINE_WORKER is not a Spine setting and is ignored; did you mean SPINE_WORKERS?',
    ]);
  });

  it.each([
    ['SPINE_TIER=../x', 'SPINE_TIER: given "../x" in .env; allowed: '],
    ['SPINE_TIER=local', 'SPINE_TIER: given "local" in .env; allowed: '],
    ['SPINE_PROFILE=../../etc/x', 'SPINE_PROFILE: given "../../etc/x" in .env; allowed: '],
  ])('takes no file name from %j', async (line, problem) => {
    write('project/.env', line);
    await expect(load()).rejects.toThrow(ConfigError);
    await expect(load()).rejects.toThrow(problem);
  });

  it('refuses a tier file that names another tier', async () => {
    write('project/.env.prod', 'SPINE_TIER=dev');
    await expect(load({ SPINE_TIER: 'prod' })).rejects.toThrow('.env.prod is read because the tier is prod');
  });

  it('refuses what is there and is no readable file', async () => {
    mkdirSync(join(cwd, '.env.local'));
    await expect(load()).rejects.toThrow(`${join(cwd, '.env.local')}: is not a file`);
    rmSync(join(cwd, '.env.local'), { recursive: true });
    write('project/.env', `X=${'y'.repeat(1024 * 1024)}`);
    await expect(load()).rejects.toThrow('allowed: up to 1048576');
  });
});

describe('profiles', () => {
  it('of the project hide the user’s of the same name', async () => {
    write('home/.spine/profiles/p.toml', '[settings]\nSPINE_PORT = 1');
    expect(await port({ SPINE_PROFILE: 'p' })).toBe(1);
    write('project/.spine/profiles/p.toml', '[settings]\nSPINE_PORT = 2');
    expect(await port({ SPINE_PROFILE: 'p' })).toBe(2);
  });

  it('that do not exist, or inherit in a circle, stop the process by name', async () => {
    await expect(load({ SPINE_PROFILE: 'gone' })).rejects.toThrow(ProfileNotFoundError);
    await expect(load({ SPINE_PROFILE: 'gone' })).rejects.toThrow(
      'SPINE_PROFILE in environment: profile gone',
    );
    write('project/.spine/profiles/a.toml', 'inherits = "b"');
    write('home/.spine/profiles/b.toml', 'inherits = "a"');
    await expect(load({ SPINE_PROFILE: 'a' })).rejects.toThrow(ProfileCycleError);
  });
});

describe('values that are references', () => {
  const DATABASE = 'postgresql://spine:hunter2@db:5432/spine';

  it('become the secret, from variables of env files and from files', async () => {
    write(
      'project/.env',
      'SPINE_DATABASE_URL=secret:env:DB_URL\nSPINE_SECRETS_DIR=keys\nSPINE_PORT=secret:file:port',
    );
    write('project/.env.local', `DB_URL=${DATABASE}`);
    write('project/keys/port', '4001\n');
    const { settings, secrets } = await openProcessSettings({ role: 'api', env: {}, cwd, home });
    expect(settings.database.url.reveal()).toBe(DATABASE);
    expect(settings.api.port).toBe(4001);
    expect((await secrets.resolve('secret:env:DB_URL')).reveal()).toBe(DATABASE);
    expect(settings.warnings).toEqual([]);
  });

  it('are never quoted once resolved, whatever variable they are in', async () => {
    write('project/.env', 'SPINE_PORT=secret:env:OOPS\nOOPS=hunter2');
    await expect(load()).rejects.toThrow('SPINE_PORT: given a value of 7 characters (not shown)');
  });

  it('that cannot be resolved are all reported at once, and name no secret', async () => {
    const failing = load({
      SPINE_PORT: 'secret:env:GONE',
      SPINE_REDIS_URL: 'secret:vault:kv/redis#url',
      SPINE_DATABASE_URL: 'secret:hunter2',
    });
    await expect(failing).rejects.toThrow(ConfigError);
    const message = await failing.catch((error: unknown) => String(error));
    expect(message).toContain('3 settings are not usable');
    expect(message).toContain('SPINE_PORT: secret:env:GONE: there is no such secret');
    expect(message).toContain('SPINE_REDIS_URL: secret:vault:kv/redis#url: secrets of vault are not set up');
    expect(message).toContain('SPINE_DATABASE_URL: not a reference to a secret (not shown)');
    expect(message).not.toContain('hunter2');
  });

  it('may say where secrets are only by variables and files', async () => {
    await expect(load({ SPINE_VAULT_TOKEN: 'secret:vault:kv/t' })).rejects.toThrow(
      'SPINE_VAULT_TOKEN: secret:vault:kv/t: secrets of vault are not set up',
    );
    await expect(load({ SPINE_SECRETS_DIR: 'secret:env:X' })).rejects.toThrow(
      'SPINE_SECRETS_DIR: is a reference',
    );
  });

  it('in files that others may read are warned about', async () => {
    write('project/keys/port', '4001');
    chmodSync(join(cwd, 'keys/port'), 0o644);
    const { warnings } = await load({ SPINE_SECRETS_DIR: 'keys', SPINE_PORT: 'secret:file:port' });
    expect(warnings).toEqual(['secret:file:port can be read by others on this machine (chmod 600)']);
  });
});
