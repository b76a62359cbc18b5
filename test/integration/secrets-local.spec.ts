/** What references, variables and files refuse, what is printed of secrets, and what is remembered of them. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  EnvSecretBackend,
  FileSecretBackend,
  parseSecretReference,
  Secret,
  SecretReferenceError,
  SecretsResolver,
} from '@spine/config';
import type { SecretAnswer } from '@spine/config';
import { captureLogger, silentLogger } from '@spine/observability';
import { errorOf } from './secrets-support.ts';

describe('a reference', () => {
  it.each([
    ['secret:env:NAME', { backend: 'env', path: 'NAME', field: undefined }],
    ['secret:file:/run/secrets/key', { backend: 'file', path: '/run/secrets/key', field: undefined }],
    ['secret:vault:kv/app/db#password', { backend: 'vault', path: 'kv/app/db', field: 'password' }],
    ['secret:aws:arn:aws:secretsmanager:eu-central-1:1:secret:x-Ab#user', { backend: 'aws', field: 'user' }],
  ])('%s is understood', (text, reference) => {
    expect(parseSecretReference(text)).toMatchObject(reference);
  });

  it.each([
    'hunter2',
    'secret:hunter2',
    'secret:gcp:hunter2',
    'secret:env:hunter2-x',
    'secret:env:HUNTER#hunter2',
    'secret:file:../hunter2',
    'secret:file:a/../hunter2',
    'secret:file:a//hunter2',
    'secret:file:hunter2\0',
    'secret:vault:hunter2',
    'secret:vault:kv/../sys/hunter2',
    'secret:vault:kv/%2e%2e/hunter2',
    'secret:vault:kv/a?hunter2',
    'secret:vault:kv/a#hunter2#b',
    'secret:aws:hunter2 x',
    'secret:env:',
  ])('%j is refused and not quoted', (text) => {
    expect(() => parseSecretReference(text)).toThrow(SecretReferenceError);
    expect(() => parseSecretReference(text)).toThrow(/allowed: secret:/);
    expect(() => parseSecretReference(text)).not.toThrow(/hunter2/);
  });

  it('to a backend that is not set up is a ConfigError', async () => {
    const resolver = new SecretsResolver({ backends: [] });
    expect(await errorOf(resolver.resolve('secret:vault:kv/a'))).toMatchObject({ name: 'ConfigError' });
    expect(await errorOf(resolver.resolveName('Not a name'))).toMatchObject({ name: 'ValidationError' });
    expect(await errorOf(resolver.resolveName('a'))).toMatchObject({ name: 'MissingSecretError' });
  });
});

describe('what is forgotten while it is asked for', () => {
  it('is not remembered, and who asks afterwards asks anew', async () => {
    const answers: ((answer: SecretAnswer) => void)[] = [];
    const get = () => new Promise<SecretAnswer>((resolve) => answers.push(resolve));
    const resolver = new SecretsResolver({ backends: [{ name: 'env', get }] });
    const found = (text: string): SecretAnswer => ({ type: 'found', secret: new Secret(text) });
    const before = resolver.resolve('secret:env:A');
    resolver.forget();
    const after = resolver.resolve('secret:env:A');
    answers[1]?.(found('rotated'));
    answers[0]?.(found('old'));
    expect((await before).reveal()).toBe('old');
    expect((await after).reveal()).toBe('rotated');
    expect((await resolver.resolve('secret:env:A')).reveal()).toBe('rotated');
    expect(answers).toHaveLength(2);
  });
});

describe('the logger', () => {
  it('prints no secret, wherever it is in a line', () => {
    const lines: unknown[] = [];
    const logger = captureLogger(silentLogger(), {
      bindings: {},
      level: 'info',
      onLine: (line) => void lines.push(line),
    });
    const secret = new Secret('hunter2');
    logger.info({ secret, deep: { list: [secret] } }, `got ${String(secret)}`);
    logger.warn({ err: new Error('failed', { cause: secret }) }, 'failed with %s %j', secret, { secret });
    const text = JSON.stringify(lines);
    expect(text).not.toContain('hunter2');
    expect(text.split('[REDACTED]').length - 1).toBeGreaterThanOrEqual(5);
  });
});

describe('variables', () => {
  it('are their own, never inherited', async () => {
    expect(await new EnvSecretBackend({}).get({ path: 'constructor' })).toEqual({ type: 'missing' });
  });
});

describe('files', () => {
  let root: string;
  let dir: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'spine-secret-files-'));
    dir = join(root, 'secrets');
    mkdirSync(join(dir, '..data'), { recursive: true });
    writeFileSync(join(root, 'outside'), 'hunter2');
    writeFileSync(join(dir, '..data', 'token'), 'inside\r\n', { mode: 0o640 });
    symlinkSync(join('..data', 'token'), join(dir, 'token'));
    symlinkSync(join(root, 'outside'), join(dir, 'escape'));
    symlinkSync('loop', join(dir, 'loop'));
    mkdirSync(join(dir, 'folder'));
    writeFileSync(join(dir, 'large'), 'hunter2'.repeat(10_000), { mode: 0o600 });
    writeFileSync(join(dir, 'open'), 'x', { mode: 0o600 });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const backend = (onWarning?: (message: string) => void) => new FileSecretBackend({ dir, onWarning });
  const read = async (path: string) => {
    const answer = await backend().get({ path });
    return answer.type === 'found' ? answer.secret.reveal() : null;
  };

  it('are read through links within the folder, and by their absolute path', async () => {
    expect(await read('token')).toBe('inside');
    expect(await read(join(dir, 'token'))).toBe('inside');
    expect(await read('token/x')).toBeNull();
    expect(await new FileSecretBackend({ dir: join(root, 'gone') }).get({ path: 'a' })).toEqual({
      type: 'missing',
    });
  });

  it.each([
    ['escape', 'SecretAccessError', 'lies outside'],
    ['../outside', 'SecretAccessError', 'lies outside'],
    ['/etc/hostname', 'SecretAccessError', 'lies outside'],
    ['.', 'SecretAccessError', 'lies outside'],
    ['loop', 'SecretAccessError', 'ELOOP'],
    ['folder', 'SecretFormatError', 'is not a file'],
    ['large', 'SecretFormatError', 'has more than 65536 bytes'],
  ])('%s: %s', async (path, name, message) => {
    const error = await errorOf(backend().get({ path }));
    expect(error).toMatchObject({ name });
    expect(error.message).toContain(message);
  });

  it('that others may read or change are warned about once', async () => {
    const warnings: string[] = [];
    const warned = backend((message) => warnings.push(message));
    await warned.get({ path: 'open' });
    expect(warnings).toEqual([]);
    chmodSync(join(dir, 'open'), 0o666);
    await warned.get({ path: 'open' });
    await warned.get({ path: 'open' });
    expect(warnings).toEqual([
      'secret:file:open can be read and changed by others on this machine (chmod 600)',
    ]);
  });
});
