import { handlerKey, priorityRank } from '@spine/core';
import type { Priority, RunKind } from '@spine/core';
import { MAX_RUNS_PER_HINT } from './port.ts';
import type { Hint } from './port.ts';

/** A run that should be hinted. */
export interface HintableRun {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly priority: Priority;
  /** How long it has to wait. Default 0. */
  readonly delayMs?: number;
  /** Whether it has gates. Default false; being wrong costs time and no more. */
  readonly gated?: boolean;
  /** W3C traceparent of what submitted it. Default null. */
  readonly traceContext?: string | null;
}

/** What is known of a lane's workers. */
export interface LaneCapacity {
  readonly workers: number;
  /** Slots of the smallest of them. */
  readonly slots: number;
}

/** A hint costs the queue the same whatever it holds: with many workers, fair shares would be hints of a single run. */
const MAX_HINTS_PER_FLUSH = 16;

/** With no worker live yet, hints are cut for several. */
const UNKNOWN_CAPACITY: LaneCapacity = { workers: 4, slots: 256 };

/**
 * Runs per hint: a flush is divided among the live workers, so that one of them does not take it all, but not into more
 * hints than the queue takes cheaply; and a hint is at most a quarter of a worker's slots, so that it fits while others
 * still run.
 */
export function runsPerHint(flush: number, capacity: LaneCapacity | undefined): number {
  const { workers, slots } = capacity ?? UNKNOWN_CAPACITY;
  const fair = Math.ceil(flush / Math.max(1, workers));
  const bounded = Math.ceil(flush / MAX_HINTS_PER_FLUSH);
  return Math.max(1, Math.min(Math.max(fair, bounded), MAX_RUNS_PER_HINT, Math.floor(slots / 4)));
}

function labelOf(runs: readonly HintableRun[]): string {
  const first = runs[0];
  if (first === undefined) return 'empty';
  const key = handlerKey(first.kind, first.name);
  if (runs.length === 1) return key;
  if (runs.every(({ kind, name }) => kind === first.kind && name === first.name))
    return `${key} ×${runs.length}`;
  const handlers = new Set(runs.map((run) => handlerKey(run.kind, run.name)));
  return `${key} +${handlers.size - 1} more ×${runs.length}`;
}

/** Runs that may share hints. */
interface HintGroup {
  readonly lane: string;
  readonly priority: Priority;
  /** Due times within one second share a hint: the claim checks the exact time again. */
  readonly dueSecond: number;
  readonly gated: boolean;
  readonly runs: HintableRun[];
  /** Until the last of them is due. */
  delayMs: number;
}

function belongsTo(run: HintableRun, group: HintGroup): boolean {
  return (
    run.lane === group.lane &&
    run.priority === group.priority &&
    dueSecondOf(run) === group.dueSecond &&
    (run.gated ?? false) === group.gated
  );
}

function dueSecondOf({ delayMs = 0 }: HintableRun): number {
  return Math.ceil(delayMs / 1000);
}

function groupsOf(runs: readonly HintableRun[]): Iterable<HintGroup> {
  const groups = new Map<string, HintGroup>();
  let group: HintGroup | undefined;
  for (const run of runs) {
    // A run is mostly like the one before it.
    if (group === undefined || !belongsTo(run, group)) group = groupIn(groups, run);
    group.runs.push(run);
    group.delayMs = Math.max(group.delayMs, run.delayMs ?? 0);
  }
  return groups.values();
}

function groupIn(groups: Map<string, HintGroup>, run: HintableRun): HintGroup {
  const { lane, priority, gated = false } = run;
  const dueSecond = dueSecondOf(run);
  const key = `${lane} ${priority} ${dueSecond} ${gated}`;
  const known = groups.get(key);
  if (known !== undefined) return known;
  const group: HintGroup = { lane, priority, dueSecond, gated, runs: [], delayMs: 0 };
  groups.set(key, group);
  return group;
}

/** Groups the runs of one flush by lane, priority, due time and whether they have gates, and cuts the groups into hints. */
export function toHints(
  runs: readonly HintableRun[],
  capacityOf: (lane: string) => LaneCapacity | undefined,
): Hint[] {
  const hints: Hint[] = [];
  for (const { lane, priority, gated, runs: group, delayMs } of groupsOf(runs)) {
    const size = runsPerHint(group.length, capacityOf(lane));
    for (let from = 0; from < group.length; from += size) {
      const part = group.slice(from, from + size);
      hints.push({
        lane,
        priority: priorityRank(priority),
        runIds: part.map((run) => run.runId),
        label: labelOf(part),
        delayMs,
        ...(gated ? { gated: true } : {}),
      });
    }
  }
  return hints;
}
