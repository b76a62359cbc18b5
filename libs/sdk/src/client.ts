import { connect, dataOf } from './connection.ts';
import type { CallOptions } from './connection.ts';
import { SpineConfigError } from './errors.ts';
import { Events } from './events/events.ts';
import type { Capabilities, SpineApi } from './generated/index.ts';
import { DEFAULT_RETRY } from './http/retry-policy.ts';
import type { RetryPolicy } from './http/retry-policy.ts';
import { Transport } from './http/transport.ts';
import { whole } from './http/whole.ts';
import { audit, keys } from './resources/access.ts';
import { data } from './resources/data.ts';
import { database } from './resources/database.ts';
import { deploy } from './resources/deploy.ts';
import { dlq } from './resources/dlq.ts';
import { examples } from './resources/examples.ts';
import { breakers, limits, locks } from './resources/gates.ts';
import { ledger } from './resources/ledger.ts';
import { functions, health, queues, stats, workers } from './resources/operations.ts';
import { playground } from './resources/playground.ts';
import { schedules } from './resources/schedules.ts';
import { triggers } from './resources/triggers.ts';
import { workflowRuns } from './resources/workflow-runs.ts';
import { workflows } from './resources/workflows.ts';
import { Runs } from './runs/runs.ts';

export interface SpineClientOptions {
  /** Where the API is, without `/api/v1`: `https://spine.example.com`. */
  readonly baseUrl: string;
  /** Sent as a bearer token. A function is asked before each attempt, so that a key may be rotated. Default: none. */
  readonly apiKey?: string | (() => string | null | Promise<string | null>) | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
  /** Of each attempt of a call, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Further attempts of calls that may be repeated. Default 3; 0 for none. */
  readonly retries?: number | undefined;
  /** How long is waited between attempts. */
  readonly backoff?: Partial<Omit<RetryPolicy, 'retries'>> | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface SpineClient {
  readonly runs: Runs;
  readonly events: Events;
  readonly workflows: ReturnType<typeof workflows>;
  readonly workflowRuns: ReturnType<typeof workflowRuns>;
  readonly schedules: ReturnType<typeof schedules>;
  readonly triggers: ReturnType<typeof triggers>;
  readonly dlq: ReturnType<typeof dlq>;
  readonly queues: ReturnType<typeof queues>;
  readonly workers: ReturnType<typeof workers>;
  readonly functions: ReturnType<typeof functions>;
  readonly ledger: ReturnType<typeof ledger>;
  readonly data: ReturnType<typeof data>;
  readonly playground: ReturnType<typeof playground>;
  readonly examples: ReturnType<typeof examples>;
  readonly limits: ReturnType<typeof limits>;
  readonly breakers: ReturnType<typeof breakers>;
  readonly locks: ReturnType<typeof locks>;
  readonly stats: ReturnType<typeof stats>;
  readonly health: ReturnType<typeof health>;
  readonly database: ReturnType<typeof database>;
  readonly deploy: ReturnType<typeof deploy>;
  readonly keys: ReturnType<typeof keys>;
  readonly audit: ReturnType<typeof audit>;
  /** What this deployment is and has. */
  capabilities(options?: CallOptions): Promise<Capabilities>;
  /** Every endpoint, one method each, as generated from the API's OpenAPI document. Errors and retries are the same. */
  readonly api: SpineApi;
}

/** @throws SpineConfigError for options that cannot work */
export function createSpineClient(options: SpineClientOptions): SpineClient {
  const { apiKey, timeoutMs = 30_000, retries = DEFAULT_RETRY.retries, headers = {} } = options;
  const retry: RetryPolicy = {
    ...DEFAULT_RETRY,
    ...options.backoff,
    retries: whole('retries', retries, 0),
  };
  const transport = new Transport({
    baseUrl: checkedBaseUrl(options.baseUrl),
    apiKey: typeof apiKey === 'function' ? apiKey : () => apiKey ?? null,
    // Looked up at each call, so that what a page or a test puts in its place is used.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    timeoutMs: whole('timeoutMs', timeoutMs, 1),
    retry,
    headers,
  });
  const connection = connect(transport);
  const events = new Events(connection, retry);
  return {
    runs: new Runs(connection, events),
    events,
    workflows: workflows(connection),
    workflowRuns: workflowRuns(connection),
    schedules: schedules(connection),
    triggers: triggers(connection),
    dlq: dlq(connection),
    queues: queues(connection),
    workers: workers(connection),
    functions: functions(connection),
    ledger: ledger(connection),
    data: data(connection),
    playground: playground(connection),
    examples: examples(connection),
    limits: limits(connection),
    breakers: breakers(connection),
    locks: locks(connection),
    stats: stats(connection),
    health: health(connection),
    database: database(connection),
    deploy: deploy(connection),
    keys: keys(connection),
    audit: audit(connection),
    capabilities: (options) => dataOf(connection.api.getCapabilities(connection.call(options))),
    api: connection.api,
  };
}

function checkedBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new SpineConfigError('baseUrl must be an http or https URL such as http://localhost:3000');
  }
  if (url.username !== '' || url.password !== '') {
    throw new SpineConfigError('baseUrl must hold no user name and password: give the key as apiKey');
  }
  if (url.search !== '' || url.hash !== '') {
    throw new SpineConfigError('baseUrl must end with its path: no query and no fragment');
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
