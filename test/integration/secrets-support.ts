/**
 * Where the tests of secrets keep them: variables, a folder, and small servers on this machine that answer as Vault's and
 * AWS's documentation says. The servers are doubles of the protocols, not the products.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import {
  AwsSecretBackend,
  EnvSecretBackend,
  FileSecretBackend,
  Secret,
  VaultSecretBackend,
} from '@spine/config';
import type { SecretBackend } from '@spine/config';

/** A server on a free port of this machine. */
export interface LoopbackServer {
  readonly url: string;
  /** Requests so far, as `METHOD path`. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function serve(listener: RequestListener): Promise<LoopbackServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Members of secrets by path. */
export type Kept = Map<string, Readonly<Record<string, unknown>>>;

export const VAULT_TOKEN = 'hvs.token-of-the-tests';

/** KV version 2: GET /v1/{mount}/data/{path}. Deleted versions have null data and answer 404. */
export function vaultDouble(kept: Kept, namespace?: string): RequestListener {
  return (request, response) => {
    const { headers } = request;
    if (headers['x-vault-token'] !== VAULT_TOKEN || headers['x-vault-namespace'] !== namespace) {
      return answer(response, 403, { errors: ['permission denied'] });
    }
    const [, mount, rest] = /^\/v1\/([^/]+)\/data\/(.+)$/.exec(decodeURIComponent(request.url ?? '')) ?? [];
    const data = kept.get(`${mount}/${rest}`);
    if (data === undefined) return answer(response, 404, { errors: [] });
    const metadata = {
      created_time: '2025-12-15T00:00:00Z',
      deletion_time: '',
      destroyed: false,
      version: 3,
    };
    return answer(response, 200, { request_id: 'r', lease_id: '', data: { data, metadata } });
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** GetSecretValue of the JSON 1.1 protocol; a secret is the text its `value` is, or its members as JSON. */
export function awsDouble(kept: Kept): RequestListener {
  return (request, response) => {
    void bodyOf(request).then((body) => {
      const { SecretId: id } = JSON.parse(body) as { SecretId: string };
      const signed = (request.headers.authorization ?? '').startsWith('AWS4-HMAC-SHA256 Credential=');
      if (!signed) return answer(response, 400, { __type: 'MissingAuthenticationTokenException' });
      if (request.headers['x-amz-target'] !== 'secretsmanager.GetSecretValue') {
        return answer(response, 400, { __type: 'InvalidRequestException' });
      }
      const data = kept.get(id);
      if (data === undefined)
        return answer(response, 400, { __type: 'ResourceNotFoundException', Message: id });
      const whole = Object.keys(data).join() === 'value' ? data['value'] : JSON.stringify(data);
      return answer(response, 200, { ARN: 'arn', Name: id, SecretString: whole, VersionId: 'v' });
    });
  };
}

export const AWS_CREDENTIALS = { accessKeyId: 'AKIATEST', secretAccessKey: 'key-of-the-tests' };

/** A backend with a way to put secrets into it. */
export interface OpenBackend {
  readonly backend: SecretBackend;
  /** What a reference of this backend calls the secret `name`. */
  path(name: string): string;
  put(name: string, value: string): void;
  /** Makes it unable to answer. Undefined where nothing can be away. */
  readonly break?: () => Promise<void>;
  close(): Promise<void>;
}

export function openEnv(): Promise<OpenBackend> {
  const env: Record<string, string> = {};
  const path = (name: string) => name.toUpperCase();
  return Promise.resolve({
    backend: new EnvSecretBackend(env),
    path,
    put: (name, value) => void (env[path(name)] = value),
    close: () => Promise.resolve(),
  });
}

export function openFile(): Promise<OpenBackend> {
  const dir = mkdtempSync(join(tmpdir(), 'spine-secrets-'));
  return Promise.resolve({
    backend: new FileSecretBackend({ dir }),
    path: (name) => `app/${name}`,
    put: (name, value) => {
      const file = join(dir, 'app', name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${value}\n`, { mode: 0o600 });
    },
    close: () => Promise.resolve(rmSync(dir, { recursive: true, force: true })),
  });
}

export async function openVault(): Promise<OpenBackend> {
  const kept: Kept = new Map();
  const server = await serve(vaultDouble(kept));
  return {
    backend: new VaultSecretBackend({
      address: server.url,
      token: () => Promise.resolve(new Secret(VAULT_TOKEN)),
    }),
    path: (name) => `kv/app/${name}`,
    put: (name, value) => void kept.set(`kv/app/${name}`, { value }),
    break: () => server.close(),
    close: () => server.close(),
  };
}

export async function openAws(): Promise<OpenBackend> {
  const kept: Kept = new Map();
  const server = await serve(awsDouble(kept));
  return {
    backend: new AwsSecretBackend({
      region: 'eu-central-1',
      endpoint: server.url,
      credentials: AWS_CREDENTIALS,
      attempts: 1,
    }),
    path: (name) => `app/${name}`,
    put: (name, value) => void kept.set(`app/${name}`, { value }),
    break: () => server.close(),
    close: () => server.close(),
  };
}

/** The error a promise ends with; fails when it holds the secret of the tests, `hunter2`. */
export async function errorOf(promise: Promise<unknown>): Promise<Error> {
  const thrown: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
  if (!(thrown instanceof Error)) throw new TypeError('something else than an error was thrown');
  expect(`${thrown.message} ${String(thrown.cause)}`).not.toContain('hunter2');
  return thrown;
}
