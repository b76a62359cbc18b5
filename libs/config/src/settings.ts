import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { ConfigError } from '@spine/core';
import { nearestName, quoteValue } from './report.ts';
import type { Secret } from './secret.ts';
import {
  describeVariable,
  environmentSchema,
  VARIABLE_NAMES,
  type LogLevel,
  type VariableName,
} from './variables.ts';

/** Which process asks: `launcher` is `npm start`, `migrate` the one-shot migration. */
export const ROLES = ['launcher', 'api', 'worker', 'scheduler', 'migrate'] as const;
export type Role = (typeof ROLES)[number];

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything configurable, validated. Folders are absolute. */
export interface Settings<R extends Role = Role> {
  readonly role: R;
  readonly api: {
    readonly host: string;
    /** 0: any free port. */
    readonly port: number;
    /** True when the port was chosen by SPINE_PORT rather than by default. */
    readonly portIsExplicit: boolean;
    readonly keys: readonly Secret[];
    /** Local mode: no key is asked for. Only ever true on a loopback address without keys. */
    readonly open: boolean;
  };
  readonly database: {
    /** Undefined only for the launcher: it then runs the embedded Postgres. */
    readonly url: 'launcher' extends R ? Secret | undefined : Secret;
    /** Most connections of this process. */
    readonly poolSize: number;
  };
  readonly redis: {
    /** Undefined: the queue runs on Postgres. */
    readonly url: Secret | undefined;
  };
  readonly worker: {
    /** Processes the launcher starts. */
    readonly count: number;
    /** Runs of one process at the same time. */
    readonly concurrency: number;
    readonly lanes: readonly string[];
    /** How long a worker holds a run without a heartbeat. */
    readonly leaseSeconds: number;
    /** Resident memory in MiB over which a worker is replaced by a fresh one; 0 is off. */
    readonly maxRssMb: number;
    /** Runs after which a worker is replaced by a fresh one; 0 is off. */
    readonly maxRuns: number;
  };
  readonly retention: {
    /** Finished runs older than this are deleted by the scheduler; undefined: never. */
    readonly days: number | undefined;
  };
  readonly log: { readonly level: LogLevel };
  readonly runLog: {
    /** Of the lines stored with runs. */
    readonly level: LogLevel;
  };
  readonly payloads: {
    /** Bytes of JSON up to which params and results stay in the run's row. */
    readonly inlineBytes: number;
    /** Bytes of JSON that params or a result may have. */
    readonly maxBytes: number;
    /** Where larger ones are kept; undefined: in Postgres. */
    readonly dir: string | undefined;
  };
  readonly dataDir: string;
  readonly dataRoots: readonly string[];
  readonly shutdownGraceSeconds: number;
  /** Port for /health and /metrics of a worker or scheduler; undefined when off. */
  readonly healthPort: number | undefined;
  /** One line per SPINE_ variable that is set and means nothing. For the log at start. */
  readonly warnings: readonly string[];
}

export interface LoadOptions<R extends Role = Role> {
  readonly role: R;
  /** Base of relative folders. Default: the working directory. */
  readonly cwd?: string;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** True for an address that only this machine can reach. */
export function isLoopbackHost(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

type PresentVariables = Partial<Record<VariableName, string>>;

/** Empty means not set: compose files and shells pass variables through as empty text. */
function presentVariables(env: Environment): PresentVariables {
  const present: PresentVariables = {};
  for (const name of VARIABLE_NAMES) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') present[name] = value;
  }
  return present;
}

function warningsFor(env: Environment): string[] {
  const known: readonly string[] = VARIABLE_NAMES;
  return Object.keys(env)
    .filter((name) => /^SPINE_/i.test(name) && !name.startsWith('SPINE_TEST_') && !known.includes(name))
    .sort()
    .map((name) => {
      const nearest = nearestName(name, known);
      return `${name} is not a Spine setting and is ignored${nearest === undefined ? '' : `; did you mean ${nearest}?`}`;
    });
}

/** What a role requires beyond each variable being well formed. Only reads variables that are well formed. */
function requirementProblems(present: PresentVariables, bad: ReadonlySet<unknown>, role: Role): string[] {
  const problems: string[] = [];
  if (role !== 'launcher' && present.SPINE_DATABASE_URL === undefined) {
    problems.push(`SPINE_DATABASE_URL: not set; allowed: ${describeVariable('SPINE_DATABASE_URL').allowed}`);
  }
  const servesHttp = role === 'api' || role === 'launcher';
  const host = present.SPINE_HOST ?? describeVariable('SPINE_HOST').fallback ?? '';
  if (servesHttp && present.SPINE_API_KEYS === undefined && !bad.has('SPINE_HOST') && !isLoopbackHost(host)) {
    problems.push(
      `SPINE_API_KEYS: not set, and SPINE_HOST is ${JSON.stringify(host)}; the API is open to everyone without ` +
        'keys, so it starts without them only on a loopback address (127.0.0.1, ::1, localhost); allowed: ' +
        describeVariable('SPINE_API_KEYS').allowed,
    );
  }
  return problems;
}

function fail(problems: readonly string[]): never {
  const count = problems.length === 1 ? '1 setting is' : `${problems.length} settings are`;
  throw new ConfigError(`${count} not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
}

/**
 * Validates an environment for one role.
 *
 * @throws ConfigError listing every bad variable with what was given (secrets not shown) and what is allowed.
 */
export function loadSettings<R extends Role>(env: Environment, options: LoadOptions<R>): Settings<R>;
export function loadSettings(env: Environment, { role, cwd = process.cwd() }: LoadOptions): Settings {
  const present = presentVariables(env);
  const parsed = environmentSchema.safeParse(present);
  const bad = new Set<unknown>(parsed.success ? [] : parsed.error.issues.map((issue) => issue.path[0]));
  const malformed = VARIABLE_NAMES.filter((name) => bad.has(name)).map((name) => {
    const { allowed, quoting } = describeVariable(name);
    return `${name}: given ${quoteValue(present[name] ?? '', quoting)}; allowed: ${allowed}`;
  });
  const problems = [...malformed, ...requirementProblems(present, bad, role)];
  if (!parsed.success || problems.length > 0) fail(problems);
  const values = parsed.data;

  const keys = values.SPINE_API_KEYS ?? [];
  return {
    role,
    api: {
      host: values.SPINE_HOST,
      port: values.SPINE_PORT,
      portIsExplicit: present.SPINE_PORT !== undefined,
      keys,
      open: keys.length === 0 && isLoopbackHost(values.SPINE_HOST),
    },
    database: { url: values.SPINE_DATABASE_URL, poolSize: values.SPINE_DATABASE_POOL },
    redis: { url: values.SPINE_REDIS_URL },
    worker: {
      count: values.SPINE_WORKERS,
      concurrency: values.SPINE_WORKER_CONCURRENCY,
      lanes: values.SPINE_LANES,
      leaseSeconds: values.SPINE_LEASE_SECONDS,
      maxRssMb: values.SPINE_WORKER_MAX_RSS_MB,
      maxRuns: values.SPINE_WORKER_MAX_RUNS,
    },
    retention: { days: values.SPINE_RETENTION_DAYS === 0 ? undefined : values.SPINE_RETENTION_DAYS },
    log: { level: values.SPINE_LOG_LEVEL },
    runLog: { level: values.SPINE_RUN_LOG_LEVEL },
    payloads: {
      inlineBytes: values.SPINE_PAYLOAD_INLINE_KB * 1024,
      maxBytes: values.SPINE_PAYLOAD_MAX_MB * 1024 * 1024,
      dir: values.SPINE_PAYLOAD_DIR === undefined ? undefined : resolve(cwd, values.SPINE_PAYLOAD_DIR),
    },
    dataDir: resolve(cwd, values.SPINE_DATA_DIR),
    dataRoots: values.SPINE_DATA_ROOTS.map((root) => resolve(cwd, root)),
    shutdownGraceSeconds: values.SPINE_SHUTDOWN_GRACE_SECONDS,
    healthPort: values.SPINE_HEALTH_PORT === 0 ? undefined : values.SPINE_HEALTH_PORT,
    warnings: warningsFor(env),
  };
}

/**
 * `loadSettings` of this process's own environment: the one place that reads it.
 *
 * @throws ConfigError as `loadSettings` does.
 */
export function loadProcessSettings<R extends Role>(options: LoadOptions<R>): Settings<R> {
  return loadSettings(process.env, options);
}
