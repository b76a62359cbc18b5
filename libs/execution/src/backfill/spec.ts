/** A backfill as its caller describes it, and the runs its partitions become. */
import {
  BACKFILL_RUN_KINDS,
  backfillGateKey,
  backfillRunKey,
  findJsonProblems,
  handlerKey,
  ValidationError,
} from '@spine/core';
import type { BackfillReason, BackfillRunKind, Priority, ValidationIssue } from '@spine/core';
import { partitionKeyText } from '@spine/database';
import type { Backfill, BackfillPartition, NewBackfill, PartitionKey } from '@spine/database';
import type { HandlerRegistry } from '../registry/registry.ts';
import { LIMITS } from '../spec/limits.ts';
import type { WorkSpec } from '../spec/work-spec.ts';

/** The run that each partition becomes. */
export interface BackfillTemplate {
  readonly kind: BackfillRunKind;
  /** Handler name without its kind. */
  readonly name: string;
  /** Beside the fields of the partition's key; none may have the name of one. Default `{}`. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Default `backfill`. */
  readonly lane?: string;
  /** Default `low`. */
  readonly priority?: Priority;
  /** Of each run. Default: the handler's own. */
  readonly maxRetries?: number;
  /** Of one attempt of a run. Default 3600. */
  readonly timeoutSeconds?: number;
}

export interface BackfillSpec {
  readonly domain: string;
  readonly source: string;
  readonly reason: BackfillReason;
  /** In the order they are done in; the same key twice counts once. */
  readonly partitionKeys: readonly PartitionKey[];
  readonly run: BackfillTemplate;
  /** Runs at the same time, 1 to 1,000. Default 2: daily work keeps all other slots. */
  readonly concurrency?: number;
  /** Runs a partition may fail, each with its own retries, before it counts as failed; 1 to 100. Default 2. */
  readonly maxAttempts?: number;
  readonly note?: string | null;
  /** Who asked. Default `api`. */
  readonly createdBy?: string;
}

export const BACKFILL_DEFAULTS = {
  lane: 'backfill',
  priority: 'low',
  concurrency: 2,
  maxAttempts: 2,
} as const;
export const BACKFILL_LIMITS = { concurrency: 1_000, maxAttempts: 100, paramsBytes: 16 * 1024 } as const;

/** Partitions whose params are held against the handler's schema before the plan is stored. */
const CHECKED = 1_000;

/**
 * The plan to store.
 * @throws ValidationError for what its runs would be refused for: each field that is wrong, and why.
 */
export function planOf(spec: BackfillSpec, registry: HandlerRegistry): NewBackfill {
  const { run } = spec;
  const params = run.params ?? {};
  const issues = [...checkNumbers(spec), ...checkTemplate(run), ...checkFields(params, spec.partitionKeys)];
  if (issues.length === 0) issues.push(...checkHandler(spec, params, registry));
  const [first] = issues;
  if (first !== undefined) throw new ValidationError(`${first.field}: ${first.message}`, { issues });
  return {
    domain: spec.domain,
    source: spec.source,
    reason: spec.reason,
    partitionKeys: spec.partitionKeys,
    runKind: run.kind,
    runName: run.name,
    params,
    lane: run.lane ?? BACKFILL_DEFAULTS.lane,
    priority: run.priority ?? BACKFILL_DEFAULTS.priority,
    concurrency: spec.concurrency ?? BACKFILL_DEFAULTS.concurrency,
    maxAttempts: spec.maxAttempts ?? BACKFILL_DEFAULTS.maxAttempts,
    maxRetries: run.maxRetries ?? null,
    timeoutMs: run.timeoutSeconds === undefined ? null : Math.max(1, Math.round(run.timeoutSeconds * 1_000)),
    note: spec.note ?? null,
    createdBy: spec.createdBy ?? 'api',
  };
}

function checkNumbers({ concurrency, maxAttempts, run }: BackfillSpec): ValidationIssue[] {
  const numbers = [
    ['concurrency', concurrency, 1, BACKFILL_LIMITS.concurrency],
    ['max_attempts', maxAttempts, 1, BACKFILL_LIMITS.maxAttempts],
    ['run.max_retries', run.maxRetries, 0, LIMITS.maxRetries],
  ] as const;
  return numbers.flatMap(([field, value, min, max]): ValidationIssue[] => {
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return [];
    return [
      {
        field,
        code: 'out_of_range',
        message: `given ${value}; must be a whole number from ${min} to ${max}`,
      },
    ];
  });
}

function checkTemplate(run: BackfillTemplate): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  const wrong = (field: string, code: string, message: string): void => {
    issues.push({ field: `run.${field}`, code, message });
  };
  if (!BACKFILL_RUN_KINDS.includes(run.kind))
    wrong('kind', 'unknown', `must be one of ${BACKFILL_RUN_KINDS.join(', ')}`);
  if (!LIMITS.name.test(run.name))
    wrong('name', 'invalid', 'must be a letter and up to 199 letters, digits, "_", ".", "-"');
  if (run.lane !== undefined && !LIMITS.lane.test(run.lane)) {
    wrong('lane', 'invalid', 'must be a lower-case letter and up to 62 of a-z, 0-9, "_", "-"');
  }
  const seconds = run.timeoutSeconds;
  if (seconds !== undefined && !(seconds > 0 && seconds <= LIMITS.timeoutSeconds)) {
    wrong('timeout_seconds', 'out_of_range', `must be more than 0 and at most ${LIMITS.timeoutSeconds}`);
  }
  const problems = findJsonProblems(run.params ?? {});
  for (const { field, code, message } of problems)
    wrong(field === '' ? 'params' : `params.${field}`, code, message);
  if (
    problems.length === 0 &&
    Buffer.byteLength(JSON.stringify(run.params ?? {})) > BACKFILL_LIMITS.paramsBytes
  ) {
    wrong('params', 'too_large', `at most ${BACKFILL_LIMITS.paramsBytes} bytes of JSON are allowed`);
  }
  return issues;
}

/** A param and a field of the key with one name: nobody could say which of them the run gets. */
function checkFields(
  params: Readonly<Record<string, unknown>>,
  keys: readonly PartitionKey[],
): ValidationIssue[] {
  const names = new Set(keys.flatMap((key) => Object.keys(key)));
  return Object.keys(params)
    .filter((name) => names.has(name))
    .map((name) => ({
      field: `run.params.${name}`,
      code: 'conflict',
      message: 'is a field of the partition keys too; leave it out of the params',
    }));
}

function checkHandler(
  { run, partitionKeys }: BackfillSpec,
  params: Readonly<Record<string, unknown>>,
  registry: HandlerRegistry,
): ValidationIssue[] {
  const handler = registry.get(run.kind, run.name);
  if (handler === undefined) return [];
  for (const key of partitionKeys.slice(0, CHECKED)) {
    const parsed = handler.parse({ ...params, ...key });
    if (parsed.ok) continue;
    return parsed.issues.map(({ field, code, message }) => ({
      field: field.replace(/^params/, 'run.params'),
      code,
      message: `${message}; for partition ${partitionKeyText(key)} of ${handlerKey(run.kind, run.name)}`,
    }));
  }
  return [];
}

/** The run of a partition's next attempt. */
export function partitionRunSpec(plan: Backfill, partition: BackfillPartition): WorkSpec {
  const attempt = partition.attempts + 1;
  return {
    kind: plan.runKind,
    name: plan.runName,
    params: { ...plan.params, ...partition.partitionKey },
    lane: plan.lane,
    priority: plan.priority,
    concurrency: [{ key: backfillGateKey(plan.backfillId), limit: plan.concurrency }],
    idempotencyKey: backfillRunKey(plan.backfillId, partition.ordinal, attempt),
    correlationId: plan.backfillId,
    triggerSource: 'backfill',
    metadata: {
      backfill_id: plan.backfillId,
      partition_key: partitionKeyText(partition.partitionKey),
      attempt,
    },
    // The plan keeps what failed, and resuming it does it again: a dead letter would be a second list of the same.
    deadLetter: false,
    ...(plan.maxRetries === null ? {} : { maxRetries: plan.maxRetries }),
    ...(plan.timeoutMs === null ? {} : { timeoutSeconds: plan.timeoutMs / 1_000 }),
  };
}
