/** From an environment to settings: validates, and says everything that is wrong at once. Pure but for the default folder. */
import { resolve } from 'node:path';
import { ConfigError } from '@spine/core';
import { describeFinding, validateComponentCombination } from './components.ts';
import { FLAG_VARIABLE_PREFIX, readFlagVariables } from './flags/flag-variables.ts';
import { SPINE_FLAG_DEFINITIONS, spineFlags } from './flags/spine-flags.ts';
import { isLoopbackHost } from './loopback.ts';
import { nearestName, quoteValue } from './report.ts';
import type {
  Environment,
  LoadOptions,
  Role,
  SecretSettings,
  Settings,
  TracingSettings,
} from './settings-model.ts';
import { describeVariable, environmentSchema, VARIABLE_NAMES } from './variables.ts';
import type { EnvironmentValues, VariableName } from './variables.ts';

export type PresentVariables = Partial<Record<VariableName, string>>;

/** Empty means not set: compose files and shells pass variables through as empty text. */
export function presentVariables(env: Environment): PresentVariables {
  const present: PresentVariables = {};
  for (const name of VARIABLE_NAMES) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') present[name] = value;
  }
  return present;
}

/** What other readers than the schema understand. */
const OTHER_PREFIXES = ['SPINE_TEST_', 'SPINE_SECRET_', FLAG_VARIABLE_PREFIX];

function warningsFor(env: Environment): string[] {
  const known: readonly string[] = VARIABLE_NAMES;
  const isOurs = (name: string) =>
    /^SPINE_/i.test(name) && !OTHER_PREFIXES.some((each) => name.startsWith(each));
  return Object.keys(env)
    .filter((name) => isOurs(name) && !known.includes(name))
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

/** @throws ConfigError with one line for each problem */
export function fail(problems: readonly string[]): never {
  const count = problems.length === 1 ? '1 setting is' : `${problems.length} settings are`;
  throw new ConfigError(`${count} not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
}

/** One line for each variable that is not well formed. */
export function malformedProblems(
  present: PresentVariables,
  bad: ReadonlySet<unknown>,
  hidden: ReadonlySet<string> = new Set(),
): string[] {
  return VARIABLE_NAMES.filter((name) => bad.has(name)).map((name) => {
    const { allowed, quoting } = describeVariable(name);
    const given = quoteValue(present[name] ?? '', hidden.has(name) ? 'hidden' : quoting);
    return `${name}: given ${given}; allowed: ${allowed}`;
  });
}

/** Where secrets are found, of well-formed variables. */
export function toSecretSettings(values: SecretValues, cwd: string): SecretSettings {
  const { SPINE_VAULT_ADDR: address, SPINE_VAULT_TOKEN_FILE: tokenFile } = values;
  return {
    dir: resolve(cwd, values.SPINE_SECRETS_DIR),
    ttlSeconds: values.SPINE_SECRETS_TTL_SECONDS,
    vault:
      address === undefined
        ? undefined
        : {
            address,
            token: values.SPINE_VAULT_TOKEN,
            tokenFile: tokenFile === undefined ? undefined : resolve(cwd, tokenFile),
            namespace: values.SPINE_VAULT_NAMESPACE,
          },
    aws: { region: values.SPINE_AWS_REGION, endpoint: values.SPINE_AWS_ENDPOINT },
  };
}

function toTracingSettings(values: EnvironmentValues): TracingSettings | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: disabled } = values;
  if (endpoint === undefined || disabled === 'true') return undefined;
  return {
    endpoint: endpoint.replace(/\/+$/, ''),
    headers: values.OTEL_EXPORTER_OTLP_HEADERS ?? new Map(),
    serviceName: values.OTEL_SERVICE_NAME,
    resourceAttributes: values.OTEL_RESOURCE_ATTRIBUTES ?? new Map(),
    sampler: values.OTEL_TRACES_SAMPLER,
    samplerRatio: values.OTEL_TRACES_SAMPLER_ARG,
  };
}

export type SecretValues = Pick<
  EnvironmentValues,
  | 'SPINE_SECRETS_DIR'
  | 'SPINE_SECRETS_TTL_SECONDS'
  | 'SPINE_VAULT_ADDR'
  | 'SPINE_VAULT_TOKEN'
  | 'SPINE_VAULT_TOKEN_FILE'
  | 'SPINE_VAULT_NAMESPACE'
  | 'SPINE_AWS_REGION'
  | 'SPINE_AWS_ENDPOINT'
>;

/**
 * Validates an environment for one role. Knows no files and no references: `loadProcessSettings` does.
 *
 * @throws ConfigError listing every bad variable with what was given (secrets not shown) and what is allowed, and which
 * backends do not fit together.
 */
export function loadSettings<R extends Role>(env: Environment, options: LoadOptions<R>): Settings<R>;
export function loadSettings(env: Environment, { role, cwd = process.cwd(), hidden }: LoadOptions): Settings {
  const present = presentVariables(env);
  const parsed = environmentSchema.safeParse(present);
  const bad = new Set<unknown>(parsed.success ? [] : parsed.error.issues.map((issue) => issue.path[0]));
  const flagVariables = readFlagVariables(SPINE_FLAG_DEFINITIONS, env);
  const problems = [
    ...malformedProblems(present, bad, hidden),
    ...requirementProblems(present, bad, role),
    ...flagVariables.problems,
  ];
  if (!parsed.success || problems.length > 0) fail(problems);
  const values = parsed.data;
  const secrets = toSecretSettings(values, cwd);
  const payloadDir =
    values.SPINE_PAYLOAD_DIR === undefined ? undefined : resolve(cwd, values.SPINE_PAYLOAD_DIR);
  const backupDir = values.SPINE_BACKUP_DIR === undefined ? undefined : resolve(cwd, values.SPINE_BACKUP_DIR);
  const codeDir =
    values.SPINE_WORKER_CODE_DIR === undefined ? undefined : resolve(cwd, values.SPINE_WORKER_CODE_DIR);
  const dataDir = resolve(cwd, values.SPINE_DATA_DIR);
  const dataRoots = values.SPINE_DATA_ROOTS.map((root) => resolve(cwd, root));

  const findings = validateComponentCombination({
    role,
    tier: values.SPINE_TIER,
    database: values.SPINE_DATABASE_URL === undefined ? 'embedded' : 'postgres',
    redis: values.SPINE_REDIS_URL !== undefined,
    eventBus: values.SPINE_EVENT_BUS,
    workers: values.SPINE_WORKERS,
    dataDir,
    dataRoots,
    payloadDir,
    backupDir,
    secretsDir: secrets.dir,
    vault: {
      address: values.SPINE_VAULT_ADDR,
      token: values.SPINE_VAULT_TOKEN !== undefined || values.SPINE_VAULT_TOKEN_FILE !== undefined,
    },
  });
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) fail(errors.map(describeFinding));

  const keys = values.SPINE_API_KEYS ?? [];
  return {
    role,
    tier: values.SPINE_TIER,
    api: {
      host: values.SPINE_HOST,
      port: values.SPINE_PORT,
      portIsExplicit: present.SPINE_PORT !== undefined,
      keys,
      open: keys.length === 0 && isLoopbackHost(values.SPINE_HOST),
      rateLimitPerMinute: values.SPINE_RATE_LIMIT_PER_MINUTE,
      eventStreamsPerKey: values.SPINE_EVENT_STREAMS_PER_KEY,
      trustProxyHops: values.SPINE_TRUST_PROXY_HOPS,
    },
    database: {
      url: values.SPINE_DATABASE_URL,
      adminUrl: values.SPINE_ADMIN_DATABASE_URL,
      poolSize: values.SPINE_DATABASE_POOL,
    },
    backup: { dir: backupDir, program: values.SPINE_PG_DUMP },
    redis: { url: values.SPINE_REDIS_URL },
    worker: {
      count: values.SPINE_WORKERS,
      concurrency: values.SPINE_WORKER_CONCURRENCY,
      lanes: values.SPINE_LANES,
      environment: values.SPINE_ENVIRONMENT,
      leaseSeconds: values.SPINE_LEASE_SECONDS,
      eagerStart: values.SPINE_WORKER_EAGER_START === 'true',
      threads: {
        count: values.SPINE_WORKER_THREADS,
        memoryMb: values.SPINE_WORKER_THREAD_MEMORY_MB,
        root: codeDir,
      },
      maxRssMb: values.SPINE_WORKER_MAX_RSS_MB,
      maxRuns: values.SPINE_WORKER_MAX_RUNS,
    },
    retention: {
      days: values.SPINE_RETENTION_DAYS === 0 ? undefined : values.SPINE_RETENTION_DAYS,
      ledger: values.SPINE_LEDGER_RETENTION ?? new Map(),
    },
    log: { level: values.SPINE_LOG_LEVEL },
    runLog: { level: values.SPINE_RUN_LOG_LEVEL },
    payloads: {
      inlineBytes: values.SPINE_PAYLOAD_INLINE_KB * 1024,
      maxBytes: values.SPINE_PAYLOAD_MAX_MB * 1024 * 1024,
      dir: payloadDir,
    },
    eventBus: { backend: values.SPINE_EVENT_BUS },
    secrets,
    tracing: toTracingSettings(values),
    flags: spineFlags(env),
    dataDir,
    dataRoots,
    shutdownGraceSeconds: values.SPINE_SHUTDOWN_GRACE_SECONDS,
    healthPort: values.SPINE_HEALTH_PORT === 0 ? undefined : values.SPINE_HEALTH_PORT,
    warnings: [...warningsFor(env), ...flagVariables.warnings, ...findings.map(describeFinding)],
  };
}
