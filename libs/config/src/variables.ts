/** Every environment variable Spine reads, in one schema, with what its documentation says. */
import { z } from 'zod';
import { LEDGER_RETENTION, PURGEABLE_TABLES } from '@spine/core';
import { PROFILE_ALLOWED } from './cascade/profiles.ts';
import {
  attributePairs,
  awsRegion,
  DEFAULT_TIER,
  displayName,
  ENVIRONMENT_ALLOWED,
  environmentName,
  headerPairs,
  hostAddress,
  laneList,
  ledgerRetention,
  path,
  pathList,
  plainHttpUrl,
  profileName,
  secretList,
  serverUrl,
  share,
  TIER_ALLOWED,
  tierName,
  token,
  vaultPath,
  wholeNumber,
  wholeNumberOrOff,
} from './formats.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const EVENT_BUSES = ['auto', 'memory', 'postgres', 'redis'] as const;
export type EventBusChoice = (typeof EVENT_BUSES)[number];

/** Which traces are recorded; `parentbased_` keeps to what the caller has decided. */
export const TRACE_SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type TraceSampler = (typeof TRACE_SAMPLERS)[number];

/** How a bad value is quoted in an error: as it is, as a URL without its credentials, or not at all. */
export type Quoting = 'plain' | 'url' | 'hidden';

export interface VariableDoc {
  /** What is allowed, as an error message and the documentation say it. */
  readonly allowed: string;
  /** What it is for. */
  readonly meaning: string;
  /** The default as text; null when the variable has none. */
  readonly fallback: string | null;
  readonly quoting: Quoting;
}

export const variableDocs = z.registry<VariableDoc>();

type VariableText = Omit<VariableDoc, 'fallback' | 'quoting'>;

function withDefault<T extends z.ZodType<unknown, string>>(
  schema: T,
  fallback: z.input<T>,
  text: VariableText,
  quoting: Quoting = 'plain',
) {
  const variable = z.prefault(schema, fallback);
  variableDocs.add(variable, { ...text, fallback, quoting });
  return variable;
}

function optional<T extends z.ZodType<unknown, string>>(schema: T, quoting: Quoting, text: VariableText) {
  const variable = z.optional(schema);
  variableDocs.add(variable, { ...text, fallback: null, quoting });
  return variable;
}

const LEDGER_RETENTION_ALLOWED = `table=days separated by commas; at least ${PURGEABLE_TABLES.map(
  (table) => `${table}=${LEDGER_RETENTION[table].minimumDays}`,
).join(', ')}`;

export const environmentSchema = z.object({
  SPINE_TIER: withDefault(tierName, DEFAULT_TIER, {
    allowed: TIER_ALLOWED,
    meaning:
      'Names the env file `.env.{tier}` that is read. `standard` insists on an own Postgres, `full` on Redis too.',
  }),
  SPINE_PROFILE: optional(profileName, 'plain', {
    allowed: PROFILE_ALLOWED,
    meaning: 'The profile, a TOML file, whose settings stand below those of env files and environment.',
  }),
  SPINE_HOST: withDefault(hostAddress, '127.0.0.1', {
    allowed: 'an IP address or host name',
    meaning: 'Address the API listens on. Any address but a loopback one requires `SPINE_API_KEYS`.',
  }),
  SPINE_PORT: withDefault(wholeNumber(0, 65535), '3000', {
    allowed: 'a whole number from 0 to 65535; 0 is any free port',
    meaning: 'Port of the API.',
  }),
  SPINE_API_KEYS: optional(secretList, 'hidden', {
    allowed: 'keys separated by commas, each 16 to 256 characters of A-Z a-z 0-9 _ . -',
    meaning: 'API keys. Without any, the API is open on a loopback address and does not start on another.',
  }),
  SPINE_RATE_LIMIT_PER_MINUTE: withDefault(wholeNumber(0, 10_000_000), '6000', {
    allowed: 'a whole number from 0 to 10000000; 0 is off',
    meaning:
      'Requests a minute that one key may make, and one address without a key. Local mode, where no key is asked for, has no limit.',
  }),
  SPINE_EVENT_STREAMS_PER_KEY: withDefault(wholeNumber(0, 10_000), '50', {
    allowed: 'a whole number from 0 to 10000; 0 is off',
    meaning:
      'Event streams that one key may have open in a process, which serves 500 in all. Local mode has no limit of its own.',
  }),
  SPINE_TRUST_PROXY_HOPS: withDefault(wholeNumber(0, 10), '0', {
    allowed: 'a whole number from 0 to 10',
    meaning:
      "Proxies before the API whose X-Forwarded-For is believed: that many entries from its end. Without them every client has the last proxy's address.",
  }),
  SPINE_DATABASE_URL: optional(serverUrl(['postgres:', 'postgresql:']), 'url', {
    allowed: 'a postgres:// or postgresql:// URL',
    meaning: 'Postgres 15 or newer. Without it `npm start` runs an embedded one; the services require it.',
  }),
  SPINE_ADMIN_DATABASE_URL: optional(serverUrl(['postgres:', 'postgresql:']), 'url', {
    allowed: 'a postgres:// or postgresql:// URL',
    meaning:
      'The same database as its owner, for `POST /database/init` and `/backup`. Without it the API applies no migrations.',
  }),
  SPINE_DATABASE_POOL: withDefault(wholeNumber(1, 500), '10', {
    allowed: 'a whole number from 1 to 500',
    meaning: 'Most database connections a process opens.',
  }),
  SPINE_REDIS_URL: optional(serverUrl(['redis:', 'rediss:']), 'url', {
    allowed: 'a redis:// or rediss:// URL',
    meaning: 'Redis for the queue. Without it the queue runs on Postgres.',
  }),
  SPINE_DATA_DIR: withDefault(path, '.spine', {
    allowed: 'a folder, absolute or relative to the working directory',
    meaning: 'Where `npm start` keeps the embedded database, logs and its lock.',
  }),
  SPINE_DATA_ROOTS: withDefault(pathList, './data:./libs/domains/finra-otc/fixtures', {
    allowed: 'folders separated by colons, absolute or relative to the working directory',
    meaning: 'The only folders whose files a parameter may name.',
  }),
  SPINE_WORKERS: withDefault(wholeNumber(0, 64), '2', {
    allowed: 'a whole number from 0 to 64',
    meaning: 'Worker processes that `npm start` runs.',
  }),
  SPINE_WORKER_CONCURRENCY: withDefault(wholeNumber(1, 5000), '200', {
    allowed: 'a whole number from 1 to 5000',
    meaning: 'Runs a worker process executes at the same time.',
  }),
  SPINE_WORKER_MAX_RSS_MB: withDefault(wholeNumberOrOff(128, 1_000_000), '0', {
    allowed: 'a whole number from 128 to 1000000; 0 is off',
    meaning: 'Resident memory in MiB over which a worker hands back its runs and is replaced by a fresh one.',
  }),
  SPINE_WORKER_MAX_RUNS: withDefault(wholeNumber(0, 999_999_999), '0', {
    allowed: 'a whole number from 0 to 999999999; 0 is off',
    meaning: 'Runs after which a worker is replaced by a fresh one.',
  }),
  SPINE_WORKER_EAGER_START: withDefault(z.enum(['true', 'false']), 'true', {
    allowed: 'true or false',
    meaning: 'Whether a run that the process of a worker submits may start there at once, without the queue.',
  }),
  SPINE_WORKER_THREADS: optional(wholeNumber(1, 256), 'plain', {
    allowed: 'a whole number from 1 to 256',
    meaning:
      'Threads of a worker for handlers that are registered by module, each one attempt at a time. Without it: one per core but one.',
  }),
  SPINE_WORKER_THREAD_MEMORY_MB: withDefault(wholeNumber(16, 1_000_000), '512', {
    allowed: 'a whole number from 16 to 1000000',
    meaning: 'Heap of one of these threads in MiB; an attempt that needs more fails.',
  }),
  SPINE_WORKER_CODE_DIR: optional(path, 'plain', {
    allowed: 'a folder, absolute or relative to the working directory',
    meaning:
      'The only folder whose modules these threads load; relative modules are looked for in it. Without it: that of the deployed code.',
  }),
  SPINE_LANES: withDefault(laneList, 'default,backfill,slow', {
    allowed: 'lane names separated by commas, each a-z followed by up to 62 of a-z 0-9 _ -',
    meaning: 'Lanes a worker serves.',
  }),
  SPINE_ENVIRONMENT: withDefault(environmentName, 'production', {
    allowed: ENVIRONMENT_ALLOWED,
    meaning: 'What the `auto_approve` of approvals in workflows is compared with, e.g. `dev`.',
  }),
  SPINE_LOG_LEVEL: withDefault(z.enum(LOG_LEVELS), 'info', {
    allowed: `one of ${LOG_LEVELS.join(', ')}`,
    meaning: 'Least severe log line written.',
  }),
  SPINE_RUN_LOG_LEVEL: withDefault(z.enum(LOG_LEVELS), 'info', {
    allowed: `one of ${LOG_LEVELS.join(', ')}`,
    meaning: 'Least severe line of a handler that is stored with its run; silent stores none.',
  }),
  SPINE_PAYLOAD_INLINE_KB: withDefault(wholeNumber(1, 1024), '128', {
    allowed: 'a whole number from 1 to 1024',
    meaning: 'KiB of JSON up to which params and results are kept in the run itself.',
  }),
  SPINE_PAYLOAD_MAX_MB: withDefault(wholeNumber(1, 256), '16', {
    allowed: 'a whole number from 1 to 256',
    meaning: 'MiB of JSON that params or a result may have.',
  }),
  SPINE_PAYLOAD_DIR: optional(path, 'plain', {
    allowed: 'a folder that every API and worker shares, absolute or relative to the working directory',
    meaning: 'Where params and results too large for the run are kept. Without it: in Postgres.',
  }),
  SPINE_BACKUP_DIR: optional(path, 'plain', {
    allowed: 'a folder the API may write to, absolute or relative to the working directory',
    meaning: 'Where `POST /database/backup` puts its files. Without it the API makes no backups.',
  }),
  SPINE_PG_DUMP: withDefault(path, 'pg_dump', {
    allowed: 'a program on the usual paths, or the absolute path of one',
    meaning: 'What makes backups. Its version must not be older than that of the server.',
  }),
  SPINE_SHUTDOWN_GRACE_SECONDS: withDefault(wholeNumber(0, 3600), '8', {
    allowed: 'a whole number from 0 to 3600',
    meaning: 'Seconds a process may take to finish or hand back its work after SIGTERM.',
  }),
  SPINE_LEASE_SECONDS: withDefault(wholeNumber(5, 3600), '30', {
    allowed: 'a whole number from 5 to 3600',
    meaning:
      'Seconds until the runs of a worker that died are taken from it; extended three times as often, at least every 10 s.',
  }),
  SPINE_RETENTION_DAYS: withDefault(wholeNumber(0, 36500), '0', {
    allowed: 'a whole number from 0 to 36500; 0 is off',
    meaning: 'Days after which the scheduler deletes finished runs with their events. 0 keeps everything.',
  }),
  SPINE_LEDGER_RETENTION: optional(ledgerRetention, 'plain', {
    allowed: LEDGER_RETENTION_ALLOWED,
    meaning:
      'Days after which the scheduler deletes rows of the data ledger, by table. What is not named is kept.',
  }),
  SPINE_HEALTH_PORT: withDefault(wholeNumber(0, 65535), '0', {
    allowed: 'a whole number from 0 to 65535; 0 is off',
    meaning: 'Port of a worker or scheduler for /health and /metrics. `npm start` counts up from it.',
  }),
  SPINE_EVENT_BUS: withDefault(z.enum(EVENT_BUSES), 'auto', {
    allowed: `one of ${EVENT_BUSES.join(', ')}`,
    meaning:
      'What carries published events between processes; auto is Redis where there is one, else Postgres.',
  }),
  SPINE_SECRETS_DIR: withDefault(path, '/run/secrets', {
    allowed: 'a folder, absolute or relative to the working directory',
    meaning: 'Where `secret:file:` references are read. Nothing outside of it is.',
  }),
  SPINE_SECRETS_TTL_SECONDS: withDefault(wholeNumber(0, 86400), '300', {
    allowed: 'a whole number from 0 to 86400; 0 is off',
    meaning: 'Seconds a secret is remembered before its backend is asked again.',
  }),
  SPINE_VAULT_ADDR: optional(plainHttpUrl, 'url', {
    allowed: 'an http:// or https:// URL without user, query and fragment',
    meaning: 'Vault, for `secret:vault:` references.',
  }),
  SPINE_VAULT_TOKEN: optional(token, 'hidden', {
    allowed: '1 to 4096 printable ASCII characters without spaces',
    meaning: "Vault's token. `SPINE_VAULT_TOKEN_FILE` is the other way.",
  }),
  SPINE_VAULT_TOKEN_FILE: optional(path, 'plain', {
    allowed: 'a file, absolute or relative to the working directory',
    meaning: "A file that holds Vault's token and is read for every request, as an agent renews it.",
  }),
  SPINE_VAULT_NAMESPACE: optional(vaultPath, 'plain', {
    allowed: 'names of A-Z a-z 0-9 _ . - separated by slashes',
    meaning: 'Namespace of Vault Enterprise.',
  }),
  SPINE_AWS_REGION: optional(awsRegion, 'plain', {
    allowed: 'a region such as eu-central-1',
    meaning: "Region of AWS Secrets Manager, for `secret:aws:` references. Without it: the SDK's own rules.",
  }),
  SPINE_AWS_ENDPOINT: optional(plainHttpUrl, 'url', {
    allowed: 'an http:// or https:// URL without user, query and fragment',
    meaning: "Where AWS Secrets Manager is. Without it: the region's own address.",
  }),
  SPINE_URL: withDefault(
    plainHttpUrl,
    'http://127.0.0.1:3000',
    {
      allowed: 'an http:// or https:// URL without user, query and fragment',
      meaning: 'API that the `spine` command calls; `--url` overrides it.',
    },
    'url',
  ),
  SPINE_API_KEY: optional(token, 'hidden', {
    allowed: '1 to 4096 printable ASCII characters without spaces',
    meaning: 'Key that the `spine` command sends; `--key-file` overrides it. Servers do not read it.',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(plainHttpUrl, 'url', {
    allowed: 'an http:// or https:// URL without user, query and fragment',
    meaning:
      'Where traces are sent: an OTLP/HTTP collector, `/v1/traces` is added. Without it nothing is traced.',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: optional(headerPairs, 'hidden', {
    allowed: 'name=value pairs separated by commas, values percent-encoded',
    meaning: 'Headers the collector asks for.',
  }),
  OTEL_SDK_DISABLED: withDefault(z.enum(['true', 'false']), 'false', {
    allowed: 'true or false',
    meaning: 'Turns tracing off whatever else is set.',
  }),
  OTEL_SERVICE_NAME: optional(displayName, 'plain', {
    allowed: '1 to 200 printable ASCII characters',
    meaning: '`service.name` of the spans. Without it: `spine-api`, `spine-worker`, `spine-scheduler`.',
  }),
  OTEL_RESOURCE_ATTRIBUTES: optional(attributePairs, 'plain', {
    allowed: 'name=value pairs separated by commas, values percent-encoded',
    meaning: 'More attributes of every span, e.g. `deployment.environment.name=staging`.',
  }),
  OTEL_TRACES_SAMPLER: withDefault(z.enum(TRACE_SAMPLERS), 'parentbased_always_on', {
    allowed: `one of ${TRACE_SAMPLERS.join(', ')}`,
    meaning: 'Which traces are recorded.',
  }),
  OTEL_TRACES_SAMPLER_ARG: withDefault(share, '1', {
    allowed: 'a number from 0 to 1',
    meaning: 'The share of traces that a `traceidratio` sampler records.',
  }),
});

export type VariableName = keyof typeof environmentSchema.shape;
export type EnvironmentValues = z.output<typeof environmentSchema>;

export const VARIABLE_NAMES = Object.keys(environmentSchema.shape) as readonly VariableName[];

/** What the documentation says about a variable. */
export function describeVariable(name: VariableName): VariableDoc {
  const doc = variableDocs.get(environmentSchema.shape[name]);
  if (doc === undefined) throw new TypeError(`${name} is not documented`);
  return doc;
}
