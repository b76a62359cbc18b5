/** What the probes share: an API that asks for keys, with something of everything in its database. */
import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { z } from 'zod';
import { createPool } from '@spine/database';
import { WorkflowRegistry } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { randomKey, startApi } from './api-support.ts';
import type { Answer, Api, ApiOptions, CallInit, Json } from './api-support.ts';

export const ADMIN = randomKey();

export interface Probed {
  readonly api: Api;
  /** What stands in the place of each parameter of a path, by its name, where there is one. */
  readonly names: Readonly<Record<string, string>>;
  call(method: string, path: string, init?: CallInit): Promise<Answer>;
  close(): Promise<void>;
}

const SCHEDULE = {
  name: 'probed',
  target_type: 'task',
  target_name: 'echo',
  schedule_type: 'interval',
  interval_seconds: 3_600,
};
const TRIGGER = {
  name: 'probed',
  source: { type: 'run_event', types: ['run.cancelled'] },
  target_type: 'task',
  target_name: 'echo',
};

/** Starts one with a run that ended, one that failed with its dead letter, a workflow, a schedule, a trigger and a key. */
export async function openProbed(options: ApiOptions = {}): Promise<Probed> {
  const workflows = new WorkflowRegistry().registerFunction('load', () => ({}));
  const api = await startApi({
    keys: [ADMIN],
    // What is probed is not how often.
    env: { SPINE_RATE_LIMIT_PER_MINUTE: '0' },
    ...options,
    register: (registry) => {
      workflows.registerHandlers(registry);
      options.register?.(registry);
    },
  });
  const call: Probed['call'] = (method, path, init = {}) =>
    api.call(method, path, { ...init, headers: { 'x-api-key': ADMIN, ...init.headers } });
  const made = async (path: string, json: unknown, id: string): Promise<string> => {
    const { status, body, text } = await call('POST', `/api/v1${path}`, { json });
    if (status >= 300) throw new Error(`POST ${path}: ${text}`);
    return String(body['data']?.[id]);
  };
  await api.startWorker();
  const run_id = await made('/runs', { kind: 'task', name: 'echo', params: { a: 1 } }, 'run_id');
  const failed = await made('/runs', { kind: 'task', name: 'fail', max_retries: 0 }, 'run_id');
  await made(
    '/workflows',
    { definition: { name: 'probed', steps: [{ name: 'load', kind: 'lambda', handler: 'load' }] } },
    'name',
  );
  let dead_letter_id = '';
  await waitFor(async () => {
    const { body } = await call('GET', '/api/v1/dlq');
    const letters = z
      .array(z.looseObject({ run_id: z.string(), dead_letter_id: z.string() }))
      .parse(body['data']);
    dead_letter_id = letters.find((letter) => letter.run_id === failed)?.dead_letter_id ?? '';
    return dead_letter_id !== '';
  });
  const names = {
    run_id,
    dead_letter_id,
    schedule_id: await made('/schedules', SCHEDULE, 'schedule_id'),
    trigger_id: await made('/triggers', TRIGGER, 'trigger_id'),
    key_id: await made('/keys', { name: 'probed', scopes: ['read'] }, 'key_id'),
    name: 'probed',
    kind: 'task',
    lane: 'default',
    version: '1',
    before: '1',
    after: '1',
  };
  return { api, names, call, close: () => api.close() };
}

/** Everything a request could have changed, as one text for each table; what processes write of themselves is left out. */
export async function tablesOf(api: Api): Promise<Readonly<Record<string, string>>> {
  const pool = createPool({ connectionString: api.database.connectionString, role: null });
  try {
    const { rows } = await pool.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1`,
    );
    const kept = rows.map(({ name }) => name).filter((name) => !OF_PROCESSES.has(name));
    const found = await Promise.all(
      kept.map(async (name) => {
        const { rows: counted } = await pool.query<{ text: string }>(
          `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS text FROM "${name}" t`,
        );
        return [name, counted[0]?.text ?? ''] as const;
      }),
    );
    return Object.fromEntries(found);
  } finally {
    await pool.end();
  }
}

/** Heartbeats and what follows them; the audit log, which every refused change adds to. */
const OF_PROCESSES: ReadonlySet<string> = new Set(['workers', 'service_processes', 'audit_log', 'api_keys']);

/** A path with the values of its parameters, percent-encoded. */
export function filled(path: string, names: Readonly<Record<string, string>>, other = 'x'): string {
  return path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(names[name] ?? other));
}

/** Sends bytes as they are over a connection of their own; answers with all that comes until it closes or `enough` says so. */
export function sendRaw(
  url: string,
  bytes: string | Buffer,
  enough: (answer: string) => boolean = () => false,
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = createConnection(Number(port), hostname);
    let answer = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      answer += chunk;
      if (enough(answer)) socket.destroy();
    });
    // The server may close while we still write.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
    socket.write(bytes);
  });
}

/** Text that cannot be there by chance. */
export function canary(): string {
  return `canary-${randomBytes(12).toString('hex')}`;
}

export type { Answer, Json };
