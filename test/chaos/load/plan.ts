/** What is submitted and when: pure, so that a seed names the same work again. */
import type { TerminalStatus } from '@spine/core';
import type { WorkSpecJson } from '@spine/execution';
import type { Random } from '../random.ts';

/** How a run may end; `refused` when the API must not accept it. */
export type ExpectedEnd = readonly TerminalStatus[] | 'refused';

export interface PlannedRun {
  /** Its idempotency key: a submission whose answer was lost is sent again under the same one. */
  readonly key: string;
  readonly spec: WorkSpecJson;
  readonly expected: ExpectedEnd;
  /** Asked to be cancelled this long after it was accepted; null for never. */
  readonly cancelAfterMs: number | null;
}

/** One request: a run alone, or several as a batch. */
export interface Submission {
  /** Milliseconds after the start of the repeat. */
  readonly atMs: number;
  readonly runs: readonly PlannedRun[];
  /** Sent once more although it was answered. */
  readonly twice: boolean;
}

export interface WorkWindow {
  /** Begins every key, e.g. `worker-kill/3`. */
  readonly prefix: string;
  /** Joins the runs of one fault. */
  readonly correlationId: string;
  readonly runs: number;
  /** Over how long the submissions are spread. */
  readonly lengthMs: number;
  readonly now: Date;
}

const BATCH_SHARE = 0.3;
const MAX_BATCH = 25;
const TWICE_SHARE = 0.05;
const CANCEL_SHARE = 0.03;
const LATER_SHARE = 0.05;

/** Long enough for any heal: what has not succeeded by then is a finding, not an exhausted budget. */
const PATIENT = { max_retries: 50, retry_delay_seconds: 0.2, timeout_seconds: 60 } as const;

const PRIORITIES = ['realtime', 'high', 'normal', 'normal', 'low', 'slow'] as const;

/** Some instant, most a good part of a second, some seconds long: long enough to be hit. */
function durationMs(random: Random): number {
  const kind = random.next();
  if (kind < 0.3) return random.int(0, 20);
  if (kind < 0.7) return random.int(100, 1_500);
  return random.int(1_500, 4_000);
}

function plainRun(random: Random, window: WorkWindow, index: number): PlannedRun {
  const key = `${window.prefix}/${index}`;
  const cancelled = random.chance(CANCEL_SHARE);
  const later = random.chance(LATER_SHARE);
  const laterMs = random.int(100, 2_000);
  return {
    key,
    spec: {
      kind: 'task',
      name: 'chaos.work',
      params: { ms: durationMs(random) },
      idempotency_key: key,
      correlation_id: window.correlationId,
      priority: random.pick(PRIORITIES),
      ...PATIENT,
      ...(later ? { run_after: new Date(window.now.getTime() + laterMs).toISOString() } : {}),
    },
    expected: cancelled ? ['completed', 'cancelled'] : ['completed'],
    cancelAfterMs: cancelled ? random.int(0, 1_500) : null,
  };
}

/** Plain work in singles and batches, spread over the window. */
export function planWork(random: Random, window: WorkWindow): Submission[] {
  const submissions: Submission[] = [];
  for (let planned = 0; planned < window.runs;) {
    const size = random.chance(BATCH_SHARE) ? random.int(2, MAX_BATCH) : 1;
    const first = planned;
    planned = Math.min(window.runs, planned + size);
    submissions.push({
      atMs: random.int(0, window.lengthMs),
      runs: Array.from({ length: planned - first }, (_, index) => plainRun(random, window, first + index)),
      twice: random.chance(TWICE_SHARE),
    });
  }
  return submissions;
}

/** What a fault adds to the plain work. */
export interface SpecialRun {
  readonly name: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly expected: ExpectedEnd;
  readonly atMs?: number;
  /** Over the patient defaults of plain work. */
  readonly options?: Partial<WorkSpecJson>;
}

/** Special runs as submissions of their own. */
export function planSpecial(runs: readonly SpecialRun[], window: WorkWindow): Submission[] {
  return runs.map((run, index) => {
    const key = `${window.prefix}/special-${index}`;
    return {
      atMs: run.atMs ?? 0,
      twice: false,
      runs: [
        {
          key,
          spec: {
            kind: 'task',
            name: run.name,
            params: run.params,
            idempotency_key: key,
            correlation_id: window.correlationId,
            ...PATIENT,
            ...run.options,
          },
          expected: run.expected,
          cancelAfterMs: null,
        },
      ],
    };
  });
}
