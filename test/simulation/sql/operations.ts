/** Operations that a table of runs understands, real or modelled, and how to draw them at random. */
import fc from 'fast-check';
import type { Settlement } from '@spine/database';
import type { Spec } from '../model/row.ts';

/** A run by its number, taken round the runs there are; `back` epochs before its current one. */
export interface Target {
  readonly run: number;
  readonly back: number;
}

export interface SettleTarget extends Target {
  readonly settlement: Settlement;
}

export type Operation =
  | {
      readonly type: 'insert';
      readonly spec: Spec;
      readonly hinted: boolean;
      /** An earlier send of it may have committed. */
      readonly ambiguous: boolean;
      /** The worker that takes it as it is stored; null for none. */
      readonly claimedBy: number | null;
      /** How long its transaction has lasted when the statement comes. */
      readonly lateMs: number;
    }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'claim'; readonly worker: number; readonly runs: readonly number[] }
  | { readonly type: 'poll'; readonly worker: number }
  | { readonly type: 'held'; readonly worker: number; readonly runs: readonly number[] }
  | { readonly type: 'settle'; readonly items: readonly SettleTarget[] }
  | {
      readonly type: 'exchange';
      readonly worker: number;
      readonly items: readonly SettleTarget[];
      readonly runs: readonly number[];
    }
  | { readonly type: 'heartbeat'; readonly worker: number; readonly held: readonly Target[] }
  | { readonly type: 'event'; readonly target: Target }
  | { readonly type: 'cancel' | 'pause' | 'resume'; readonly run: number }
  | { readonly type: 'unhint'; readonly runs: readonly number[] }
  | { readonly type: 'reap' | 'relay' | 'expire' | 'pause_lane' | 'resume_lane' };

/** The settlement as the retry policy would choose it: no dead letter for a run that opted out of them. */
export function settlementFor(spec: Spec, settlement: Settlement): Settlement {
  if (settlement.type !== 'dead_lettered' || spec.deadLetter) return settlement;
  return { ...settlement, type: 'failed' };
}

export const WORKERS = 3;
const MAX_RUNS = 4;

const ERROR = { message: 'it broke', type: 'Error', category: 'UNKNOWN', retryable: true } as const;

const spec: fc.Arbitrary<Spec> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 5 }),
  timeoutMs: fc.constantFrom(10_000, 45_000),
  retryDelayMs: fc.constantFrom(0, 7_000),
  deadLetter: fc.boolean(),
  runAfterMs: fc.constantFrom(null, null, -5_000, 0, 20_000, 3_600_000, 3_600_001),
  expiresMs: fc.constantFrom(null, null, 30_000),
  deadlineMs: fc.constantFrom(null, null, 60_000),
});

const settlement: fc.Arbitrary<Settlement> = fc.constantFrom<Settlement[]>(
  { type: 'completed', result: '{"n":1}' },
  { type: 'retry', error: ERROR, delayMs: 5_000 },
  { type: 'retry', error: ERROR, delayMs: 0 },
  { type: 'failed', error: ERROR },
  { type: 'timed_out', error: ERROR },
  { type: 'dead_lettered', error: ERROR },
  { type: 'handed_back', reason: 'stop' },
  { type: 'deferred', reason: 'not yet', delayMs: 3_000 },
);

const run = fc.integer({ min: 0, max: MAX_RUNS - 1 });
const runs = fc.uniqueArray(run, { minLength: 1, maxLength: MAX_RUNS });
const worker = fc.integer({ min: 0, max: WORKERS - 1 });
const back = fc.constantFrom(0, 0, 0, 1, 2);
const target = fc.record({ run, back });
const items = fc.uniqueArray(fc.record({ run, back, settlement }), {
  minLength: 1,
  maxLength: 2,
  selector: (item) => item.run,
});

function of<T extends Operation['type']>(...types: T[]): fc.Arbitrary<T> {
  return fc.constantFrom<T[]>(...types);
}

const insert = fc.record({
  type: of('insert'),
  spec,
  hinted: fc.boolean(),
  ambiguous: fc.boolean(),
  claimedBy: fc.option(worker),
  lateMs: fc.constantFrom(0, 0, 1_500),
});

/** Each as often as it takes for runs to get somewhere. */
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: insert },
  {
    weight: 5,
    arbitrary: fc.record({
      type: of('advance'),
      ms: fc.constantFrom(1, 3_000, 5_000, 10_000, 12_001, 32_001, 60_000),
    }),
  },
  { weight: 6, arbitrary: fc.record({ type: of('claim'), worker, runs }) },
  { weight: 1, arbitrary: fc.record({ type: of('poll'), worker }) },
  { weight: 1, arbitrary: fc.record({ type: of('held'), worker, runs }) },
  { weight: 6, arbitrary: fc.record({ type: of('settle'), items }) },
  { weight: 2, arbitrary: fc.record({ type: of('exchange'), worker, items, runs }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: of('heartbeat'), worker, held: fc.array(target, { maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: of('event'), target }) },
  { weight: 3, arbitrary: fc.record({ type: of('cancel', 'pause', 'resume', 'resume'), run }) },
  { weight: 1, arbitrary: fc.record({ type: of('unhint'), runs }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: of('reap', 'reap', 'relay', 'expire', 'pause_lane', 'resume_lane', 'resume_lane'),
    }),
  },
);

/** A worker that dies: its lease runs out, and the reaper comes. */
const crash: fc.Arbitrary<Operation[]> = fc
  .record({ worker, runs })
  .map((claim) => [{ type: 'claim', ...claim }, { type: 'advance', ms: 32_001 }, { type: 'reap' }]);

/** Schedules that begin with runs. */
export const schedules: fc.Arbitrary<Operation[]> = fc
  .tuple(
    fc.array(insert, { minLength: 1, maxLength: 2 }),
    fc.array(
      fc.oneof({ weight: 12, arbitrary: operation.map((each) => [each]) }, { weight: 1, arbitrary: crash }),
      { maxLength: 60, size: 'max' },
    ),
  )
  .map(([first, rest]) => [...first, ...rest.flat()]);
