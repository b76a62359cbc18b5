/** An API in process, over a database of its own: what every test of the HTTP contract starts with. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { createApp } from '@spine/api';
import type { ApiApp, AppOptions } from '@spine/api';
import { loadSettings } from '@spine/config';
import {
  createEngine,
  HandlerRegistry,
  MemoryHintQueue,
  registerBuiltinHandlers,
  Worker,
} from '@spine/execution';
import type { Engine, EngineOptions, HintQueue, PayloadOptions } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import { createTestDatabase, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';

export interface ApiOptions {
  /** Default: none, local mode. */
  readonly keys?: readonly string[];
  /** Default: in memory. Null: what the URLs ask for. */
  readonly queue?: HintQueue | null;
  readonly redisUrl?: string;
  /** Further variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another way to the database. */
  readonly databaseUrl?: string;
  readonly logger?: Logger;
  /** Of params and results that are not in their run's row. */
  readonly payloads?: PayloadOptions;
  /** Of clients that follow events. */
  readonly events?: NonNullable<EngineOptions['events']>;
  /** For webhooks. */
  readonly resolveSecret?: AppOptions['resolveSecret'];
  /** What GET /examples lists. */
  readonly examples?: AppOptions['examples'];
  /** Handlers beside the built-in ones. */
  readonly register?: (registry: HandlerRegistry) => void;
}

export interface Api {
  readonly app: ApiApp;
  readonly engine: Engine;
  readonly database: TestDatabase;
  readonly url: string;
  /** A request with the client's options; the answer's body is parsed when it is JSON. */
  call(method: string, path: string, init?: CallInit): Promise<Answer>;
  /** Starts a worker beside the API. */
  startWorker(): Promise<Worker>;
  /** Rows of the tables that a request could have written. */
  rowCounts(): Promise<{ runs: number; events: number; dead_letters: number }>;
  close(): Promise<void>;
}

export interface CallInit {
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // Tests look into answers of every shape, and fail when one is not there.
  readonly body: Json;
}

/** Parsed JSON that can be looked into without naming every level's type. */
export interface Json {
  readonly [key: string]: Json;
}

/** Matchers of a type that the compiler knows: vitest's own are `any`. */
export const anyText = expect.any(String) as string;
export const anyNumber = expect.any(Number) as number;
export const textLike = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

/** The items of a list in an answer. */
export function listIn(value: unknown): readonly Json[] {
  if (!Array.isArray(value)) throw new Error(`expected a list, got ${JSON.stringify(value)}`);
  return value as readonly Json[];
}

export function randomKey(): string {
  return `key-${randomBytes(16).toString('hex')}`;
}

export async function startApi(options: ApiOptions = {}): Promise<Api> {
  const database = await createTestDatabase();
  const databaseUrl = options.databaseUrl ?? database.connectionString;
  const settings = loadSettings(
    {
      SPINE_DATABASE_URL: databaseUrl,
      SPINE_PORT: '0',
      ...options.env,
      ...(options.keys === undefined ? {} : { SPINE_API_KEYS: options.keys.join(',') }),
    },
    { role: 'api' },
  );
  const queue = options.queue === undefined ? new MemoryHintQueue() : options.queue;
  const registry = registerBuiltinHandlers(new HandlerRegistry());
  options.register?.(registry);
  const engine = await createEngine({
    databaseUrl,
    redisUrl: options.redisUrl ?? null,
    registry,
    logger: options.logger ?? silentLogger(),
    metrics: new Metrics('api'),
    service: 'api-test',
    ...(queue === null ? {} : { queue }),
    ...(options.events === undefined ? {} : { events: options.events }),
    ...(options.payloads === undefined ? {} : { payloads: options.payloads }),
  });
  const { resolveSecret, examples } = options;
  const app = await createApp({
    settings,
    engine,
    ...(resolveSecret === undefined ? {} : { resolveSecret }),
    ...(examples === undefined ? {} : { examples }),
  });
  const url = await app.listen();
  const workers: Worker[] = [];
  return {
    app,
    engine,
    database,
    url,
    call: (method, path, init) => call(url, method, path, init),
    startWorker: async () => {
      // In a deployment it is another process, whose runs come through the queue.
      const worker = new Worker({
        ...engine,
        lanes: settings.worker.lanes,
        slots: 20,
        pollMs: 200,
        eagerStart: false,
      });
      workers.push(worker);
      await worker.start();
      return worker;
    },
    rowCounts: async () => {
      const { rows } = await engine.pool.query<{ runs: number; events: number; dead_letters: number }>(
        `SELECT (SELECT count(*) FROM runs)::int AS runs, (SELECT count(*) FROM run_events)::int AS events,
           (SELECT count(*) FROM dead_letters)::int AS dead_letters`,
      );
      const counts = rows[0];
      if (counts === undefined) throw new Error('counting answered nothing');
      return counts;
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(0)));
      await app.close(1_000);
      await engine.close();
      await database.drop();
    },
  };
}

async function call(url: string, method: string, path: string, init: CallInit = {}): Promise<Answer> {
  const { json, body = json === undefined ? undefined : JSON.stringify(json), headers = {} } = init;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body }),
    redirect: 'manual',
  });
  const text = await response.text();
  const isJson = text !== '' && /[/+]json\b/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? (JSON.parse(text) as Json) : {},
  };
}

/** Waits until a run has this status, and answers with it. */
export async function runWithStatus(api: Api, runId: string, status: string): Promise<Json> {
  let seen: Answer | undefined;
  await waitFor(
    async () => {
      seen = await api.call('GET', `/api/v1/runs/${runId}`);
      return String(seen.body['data']?.['status']) === status;
    },
    { timeoutMs: 20_000, message: () => `run ${runId} ${status}; last seen ${seen?.text}` },
  );
  if (seen === undefined) throw new Error('not looked');
  return seen.body['data'] ?? {};
}
