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
  readonly delayMs: number;
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
  const others = new Set(runs.map((run) => handlerKey(run.kind, run.name))).size - 1;
  return `${key}${others > 0 ? ` +${others} more` : ''} ×${runs.length}`;
}

/** Groups the runs of one flush by lane, priority, due time and whether they have gates, and cuts the groups into hints. */
export function toHints(
  runs: readonly HintableRun[],
  capacityOf: (lane: string) => LaneCapacity | undefined,
): Hint[] {
  const groups = new Map<string, HintableRun[]>();
  for (const run of runs) {
    // Due times within one second share a hint: the claim checks the exact time again.
    const key = `${run.lane} ${run.priority} ${Math.ceil(run.delayMs / 1000)} ${run.gated === true}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [run]);
    else group.push(run);
  }
  const hints: Hint[] = [];
  for (const group of groups.values()) {
    const first = group[0];
    if (first === undefined) continue;
    const size = runsPerHint(group.length, capacityOf(first.lane));
    const delayMs = Math.max(...group.map((run) => run.delayMs));
    for (let from = 0; from < group.length; from += size) {
      const part = group.slice(from, from + size);
      hints.push({
        lane: first.lane,
        priority: priorityRank(first.priority),
        runIds: part.map((run) => run.runId),
        label: labelOf(part),
        delayMs,
        ...(first.gated === true ? { gated: true } : {}),
      });
    }
  }
  return hints;
}
