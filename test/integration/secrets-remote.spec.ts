/** What Vault and AWS Secrets Manager answer, and what their faults are called. No error holds a secret. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AwsSecretBackend, createSecretsResolver, Secret, VaultSecretBackend } from '@spine/config';
import { AWS_CREDENTIALS, awsDouble, errorOf, serve, VAULT_TOKEN, vaultDouble } from './secrets-support.ts';
import type { Kept, LoopbackServer } from './secrets-support.ts';

const servers: LoopbackServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serving(listener: RequestListener): Promise<LoopbackServer> {
  const server = await serve(listener);
  servers.push(server);
  return server;
}

const fixed =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };

describe('Vault', () => {
  const vault = (address: string, options: { namespace?: string; token?: string; timeoutMs?: number } = {}) =>
    new VaultSecretBackend({
      address,
      token: () => Promise.resolve(new Secret(options.token ?? VAULT_TOKEN)),
      namespace: options.namespace,
      timeoutMs: options.timeoutMs ?? 5_000,
    });

  it('gives fields of the current version, by mount and path', async () => {
    const kept: Kept = new Map([['kv/team a/db', { user: 'spine', port: 5432, on: true, none: null }]]);
    kept.set('kv/db', {
      user: 'spine',
      port: 5432,
      on: true,
      none: null,
      deep: { hunter2: 1 },
      list: ['hunter2'],
    });
    const { url, requests } = await serving(vaultDouble(kept, 'team/x'));
    const backend = vault(`${url}/`, { namespace: 'team/x' });
    const field = async (name: string) => {
      const answer = await backend.get({ path: 'kv/db', field: name });
      return answer.type === 'found' ? answer.secret.reveal() : null;
    };
    expect(await field('user')).toBe('spine');
    expect([await field('port'), await field('on')]).toEqual(['5432', 'true']);
    expect([await field('none'), await field('gone'), await field('toString')]).toEqual([null, null, null]);
    expect(await errorOf(field('deep'))).toMatchObject({ name: 'SecretFormatError' });
    expect(await errorOf(field('list'))).toMatchObject({ name: 'SecretFormatError' });
    expect(new Set(requests)).toEqual(new Set(['GET /v1/kv/data/db']));
    const other = await errorOf(vault(url).get({ path: 'kv/db' }));
    expect(other).toMatchObject({
      name: 'SecretAccessError',
      message: 'secret:vault:kv/db: Vault answered 403',
    });
  });

  it.each([
    [400, 'SecretAccessError', false],
    [403, 'SecretAccessError', false],
    [412, 'SecretUnavailableError', true],
    [429, 'SecretUnavailableError', true],
    [473, 'SecretUnavailableError', true],
    [500, 'SecretUnavailableError', true],
    [503, 'SecretUnavailableError', true],
  ])('%i is a %s', async (status, name, retryable) => {
    const { url } = await serving(fixed(status, '{"errors":["hunter2"]}'));
    expect(await errorOf(vault(url).get({ path: 'kv/a' }))).toMatchObject({ name, retryable });
  });

  it('is not followed to where it redirects: the token stays here', async () => {
    const other = await serving(fixed(200, '{"data":{"data":{"value":"hunter2"}}}'));
    const { url } = await serving(fixed(307, '', { location: `${other.url}/v1/kv/data/a` }));
    const error = await errorOf(vault(url).get({ path: 'kv/a' }));
    expect(error).toMatchObject({ name: 'ConfigError' });
    expect(error.message).toContain('answered 307, a redirect, which is not followed');
    expect(other.requests).toEqual([]);
  });

  it('that does not answer in time is unavailable', async () => {
    const { url } = await serving(() => undefined);
    const error = await errorOf(vault(url, { timeoutMs: 100 }).get({ path: 'kv/a' }));
    expect(error).toMatchObject({ name: 'SecretUnavailableError', retryable: true });
    expect(error.message).toContain('did not answer within 100 ms');
  });

  it.each([
    ['no JSON', 'hunter2', 'is not JSON'],
    ['version 1 of KV', '{"data":{"value":"hunter2"}}', 'not that of a KV version 2 mount'],
    ['a list', '[{"data":"hunter2"}]', 'not that of a KV version 2 mount'],
    ['too much', `{"data":"${'hunter2'.repeat(200_000)}"}`, 'more than 1048576 bytes'],
  ])('that answers with %s is not understood', async (_what, body, message) => {
    const { url } = await serving(fixed(200, body));
    const error = await errorOf(vault(url).get({ path: 'kv/a' }));
    expect(error).toMatchObject({ name: 'SecretFormatError' });
    expect(error.message).toContain(message);
  });

  it('takes its token from a file that an agent renews', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spine-vault-'));
    const { url } = await serving(vaultDouble(new Map([['kv/a', { value: 'found' }]])));
    const tokenFile = join(dir, 'token');
    const settings = {
      dir,
      ttlSeconds: 0,
      vault: { address: url, token: undefined, tokenFile, namespace: undefined },
      aws: { region: undefined, endpoint: undefined },
    };
    const resolver = createSecretsResolver({ settings, env: {} });
    const read = () => resolver.resolve('secret:vault:kv/a');
    expect(await errorOf(read())).toMatchObject({ name: 'SecretAccessError' });
    writeFileSync(tokenFile, 'hvs.old\n');
    expect(await errorOf(read())).toMatchObject({ message: 'secret:vault:kv/a: Vault answered 403' });
    writeFileSync(tokenFile, `${VAULT_TOKEN}\n`);
    expect((await read()).reveal()).toBe('found');
    rmSync(dir, { recursive: true, force: true });
  });
});

describe('AWS Secrets Manager', () => {
  const aws = (endpoint: string, timeoutMs = 5_000) =>
    new AwsSecretBackend({
      region: 'eu-central-1',
      endpoint,
      credentials: AWS_CREDENTIALS,
      attempts: 1,
      timeoutMs,
    });

  it('gives whole secrets and fields of JSON ones', async () => {
    const kept: Kept = new Map([
      ['db', { user: 'spine', password: 'p' }],
      ['plain', { value: 'hunter2' }],
    ]);
    const { url } = await serving(awsDouble(kept));
    const backend = aws(url);
    const read = async (path: string, field?: string) => {
      const answer = await backend.get({ path, field });
      return answer.type === 'found' ? answer.secret.reveal() : null;
    };
    expect(await read('db', 'user')).toBe('spine');
    expect(await read('db')).toBe('{"user":"spine","password":"p"}');
    expect(await read('db', 'gone')).toBeNull();
    expect(await read('gone')).toBeNull();
    const error = await errorOf(read('plain', 'user'));
    expect(error).toMatchObject({ name: 'SecretFormatError' });
  });

  it.each([
    [400, '{"__type":"AccessDeniedException","Message":"hunter2"}', 'SecretAccessError'],
    [400, '{"__type":"UnrecognizedClientException","message":"hunter2"}', 'SecretAccessError'],
    [400, '{"__type":"InvalidRequestException","message":"marked for deletion"}', 'SecretAccessError'],
    [400, '{"__type":"ThrottlingException","message":"hunter2"}', 'SecretUnavailableError'],
    [500, '{"__type":"InternalServiceError","message":"hunter2"}', 'SecretUnavailableError'],
    [200, 'hunter2', 'SecretUnavailableError'],
    [200, '{"Name":"a","SecretBinary":"aHVudGVyMg=="}', 'SecretFormatError'],
  ])('%i %s is a %s', async (status, body, name) => {
    const { url } = await serving(fixed(status, body, { 'content-type': 'application/x-amz-json-1.1' }));
    expect(await errorOf(aws(url).get({ path: 'a' }))).toMatchObject({ name });
  });

  it('that does not answer in time is unavailable', async () => {
    const { url } = await serving(() => undefined);
    expect(await errorOf(aws(url, 100).get({ path: 'a' }))).toMatchObject({ name: 'SecretUnavailableError' });
  });
});
