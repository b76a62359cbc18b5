/**
 * What the statement of insert-sql.ts is sent of its runs. Most batches are of one kind: what is alike in all their runs is
 * sent once and not in an array, which Postgres takes apart element by element.
 */
import { priorityRank } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { NewRun } from './insert.ts';

type Value = string | number | boolean | null;

interface Column {
  readonly name: string;
  /** As it is stored. */
  readonly type: string;
  /** As it stands in an array. */
  readonly element: string;
  readonly of: (run: NewRun) => Value;
  readonly array: (runs: readonly NewRun[]) => string;
}

/** What holds no quote, comma or brace by construction. */
const plain = (name: string, type: string, of: (run: NewRun) => Value): Column => ({
  name,
  type,
  element: type,
  of,
  array: (runs) => plainArray(runs.map(of)),
});

/** Any text, or the text of a value of another type. */
const text = (name: string, of: (run: NewRun) => string | null, type = 'text'): Column => ({
  name,
  type,
  element: 'text',
  of,
  array: (runs) => textArray(runs.map(of)),
});

const json = (name: string, of: (run: NewRun) => string | null): Column => text(name, of, 'jsonb');

/** Of each run its own. */
const OWN: readonly Column[] = [plain('id', 'uuid', (run) => run.runId), json('params', (run) => run.params)];

/** What runs of one kind have alike. */
const KIND: readonly Column[] = [
  plain('kind', 'text', (run) => run.kind),
  text('name', (run) => run.name),
  text('lane', (run) => run.lane),
  plain('priority', 'smallint', (run) => priorityRank(run.priority)),
  text('tags', (run) => (run.tags.length === 0 ? '{}' : textArray(run.tags)), 'text[]'),
  plain('parent_run_id', 'uuid', (run) => run.parentRunId),
  plain('parent_epoch', 'bigint', (run) => run.parentEpoch),
  plain('retry_of_run_id', 'uuid', (run) => run.retryOfRunId),
  text('trigger_source', (run) => run.triggerSource),
  plain('max_attempts', 'integer', (run) => run.maxAttempts),
  plain('retry_delay_ms', 'bigint', (run) => run.retryDelayMs),
  plain('timeout_ms', 'bigint', (run) => run.timeoutMs),
  plain('dead_letter', 'boolean', (run) => run.deadLetter),
  plain('run_after', 'timestamptz', (run) => run.runAfter?.toISOString() ?? null),
];

/** What its submitter knows a run by: of each its own, or none. */
const MARKS: readonly Column[] = [
  json('metadata', (run) => run.metadata),
  text('idempotency_key', (run) => run.idempotencyKey),
  plain('spec_hash', 'text', (run) => run.specHash),
  text('correlation_id', (run) => run.correlationId),
];

/** Few runs have these: sent where one does. */
const RARE: readonly Column[] = [
  plain('expires_at', 'timestamptz', (run) => run.expiresAt?.toISOString() ?? null),
  plain('deadline_ms', 'bigint', (run) => run.deadlineMs),
  text('singleton_key', (run) => run.singletonKey),
  json('retry_policy', (run) => run.retryPolicy),
  json('gates', (run) => run.gates),
  text('params_ref', (run) => run.paramsRef),
];

/** Absent in local mode. */
const OWNER: readonly Column[] = [
  text('namespace', (run) => run.namespace),
  text('submitted_by', (run) => run.submittedBy),
];

/** Absent where nothing is traced. */
const TRACE: readonly Column[] = [text('trace_context', (run) => run.traceContext)];

/** Which columns are sent of a batch, and how. */
export interface InsertShape {
  /** Whether some run uses an option that few have. */
  readonly extended: boolean;
  /** Whether some run has a namespace or a principal of its own. */
  readonly owned: boolean;
  /** Whether some run is traced. */
  readonly traced: boolean;
  /** Whether all runs are of one kind: same handler, lane, budget and so on. */
  readonly alike: boolean;
  /** Whether they have the same marks: most have none. */
  readonly unmarked: boolean;
}

const isExtended = (run: NewRun): boolean =>
  run.expiresAt !== null ||
  run.deadlineMs !== null ||
  run.singletonKey !== null ||
  run.retryPolicy !== null ||
  run.gates !== null ||
  run.paramsRef !== null;

const sameInstant = (one: Date | null, other: Date | null): boolean => one?.getTime() === other?.getTime();

const sameTags = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((tag, index) => tag === other[index]);

/** Whether two runs have {@link KIND}, {@link RARE} and {@link OWNER} alike. */
const areAlike = (one: NewRun, other: NewRun): boolean =>
  one.name === other.name &&
  one.kind === other.kind &&
  one.lane === other.lane &&
  one.priority === other.priority &&
  sameTags(one.tags, other.tags) &&
  one.parentRunId === other.parentRunId &&
  one.parentEpoch === other.parentEpoch &&
  one.retryOfRunId === other.retryOfRunId &&
  one.triggerSource === other.triggerSource &&
  one.maxAttempts === other.maxAttempts &&
  one.retryDelayMs === other.retryDelayMs &&
  one.timeoutMs === other.timeoutMs &&
  one.deadLetter === other.deadLetter &&
  sameInstant(one.runAfter, other.runAfter) &&
  sameInstant(one.expiresAt, other.expiresAt) &&
  one.deadlineMs === other.deadlineMs &&
  one.singletonKey === other.singletonKey &&
  one.retryPolicy === other.retryPolicy &&
  one.gates === other.gates &&
  one.paramsRef === other.paramsRef &&
  one.namespace === other.namespace &&
  one.submittedBy === other.submittedBy;

const sameMarks = (one: NewRun, other: NewRun): boolean =>
  one.metadata === other.metadata &&
  one.idempotencyKey === other.idempotencyKey &&
  one.specHash === other.specHash &&
  one.correlationId === other.correlationId;

/** How runs are sent. @throws never; an empty batch is alike. */
export function shapeOf(runs: readonly NewRun[]): InsertShape {
  const [first] = runs;
  return {
    extended: runs.some(isExtended),
    owned: runs.some((run) => run.namespace !== null || run.submittedBy !== null),
    traced: runs.some((run) => run.traceContext !== null),
    alike: first === undefined || runs.every((run) => areAlike(first, run)),
    unmarked: first === undefined || runs.every((run) => sameMarks(first, run)),
  };
}

interface Sent {
  readonly column: Column;
  /** Whether it is sent once for all runs. */
  readonly once: boolean;
}

/** The columns of a shape, in the order of their parameters. */
export type InsertLayout = readonly Sent[];

export function layoutOf({ extended, owned, traced, alike, unmarked }: InsertShape): InsertLayout {
  const as =
    (once: boolean) =>
    (column: Column): Sent => ({ column, once });
  return [
    ...OWN.map(as(false)),
    ...KIND.map(as(alike)),
    ...MARKS.map(as(unmarked)),
    ...(extended ? RARE : []).map(as(alike)),
    ...(owned ? OWNER : []).map(as(alike)),
    ...(traced ? TRACE : []).map(as(false)),
  ];
}

/** A row a run. @param from number of the first parameter. @param claimed whether an array of `claimed` follows them. */
export function inputSql(layout: InsertLayout, from: number, claimed: boolean): string {
  const sent = layout.map((each, index) => ({ ...each, parameter: `$${from + index}` }));
  const arrays = sent
    .filter(({ once }) => !once)
    .map(({ column, parameter }) => ({ name: column.name, value: `${parameter}::${column.element}[]` }));
  if (claimed) arrays.push({ name: 'claimed', value: `$${from + layout.length}::boolean[]` });
  const scalars = sent
    .filter(({ once }) => once)
    .map(({ column: { name, type }, parameter }) => `, ${parameter}::${type} AS ${name}`);
  return `SELECT t.*${scalars.join('')} FROM unnest(${arrays.map(({ value }) => value).join(', ')})
    AS t(${arrays.map(({ name }) => name).join(', ')})`;
}

/** The parameters of {@link inputSql}, without that of `claimed`. */
export function inputValues(layout: InsertLayout, runs: readonly NewRun[]): unknown[] {
  const [first] = runs;
  if (first === undefined) return [];
  return layout.map(({ column, once }) => (once ? column.of(first) : column.array(runs)));
}
