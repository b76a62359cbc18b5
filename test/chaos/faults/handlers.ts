/** Faults that handlers and their payloads bring along. */
import type { WorkSpecJson } from '@spine/execution';
import { INLINE_LIMIT, PAYLOAD_LIMIT } from '../bed/deployment.ts';
import type { Bed } from '../bed/bed.ts';
import type { SpecialRun } from '../load/plan.ts';
import { pause } from '../pause.ts';
import type { Random } from '../random.ts';
import { ODD_RESULTS } from '../worker/handlers.ts';
import { readJournal } from '../worker/journal.ts';
import type { Fault } from './fault.ts';

const nothingToHeal = (): Promise<void> => Promise.resolve();

async function untilSignal(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await pause(1_000, signal);
}

function stubborn(random: Random, index: number): SpecialRun {
  const deadLetter = random.chance(0.5);
  const timeoutMs = random.int(300, 1_000);
  const options: Partial<WorkSpecJson> = {
    timeout_seconds: timeoutMs / 1_000,
    max_retries: 1,
    dead_letter: deadLetter,
  };
  return {
    name: 'chaos.stubborn',
    params: { ms: timeoutMs + random.int(200, 2_000) },
    expected: [deadLetter ? 'dead_lettered' : 'timed_out'],
    atMs: index * 300,
    options,
  };
}

/** The journal holds the late writes of the whole fault: counts those that are new. */
function countLateWrites(bed: Bed): void {
  const { lateWrites } = readJournal(bed.journalFile);
  for (const outcome of ['refused', 'accepted'] as const) {
    const all = lateWrites.filter((write) => write.outcome === outcome).length;
    const effect = `late writes ${outcome}`;
    bed.count(effect, all - (bed.effects.get(effect) ?? 0));
  }
}

export const ignoresAbort: Fault = {
  what: 'handlers that ignore their signal: timed out, and what they write later is refused',
  losesLeases: false,
  specialRuns: (random) => Array.from({ length: 5 }, (_, index) => stubborn(random, index)),
  inject: (_bed, _random, signal) => untilSignal(signal),
  heal: (bed) => {
    countLateWrites(bed);
    return Promise.resolve();
  },
};

/** A run with params of so many bytes of JSON. */
export function largeParams(bytes: number): SpecialRun {
  const around = JSON.stringify({ result_bytes: 20, blob: '' }).length;
  return {
    name: 'chaos.large',
    params: { result_bytes: 20, blob: 'p'.repeat(Math.max(0, bytes - around)) },
    expected: bytes <= PAYLOAD_LIMIT ? ['completed'] : 'refused',
  };
}

/** A run with a result of so many bytes of JSON. */
export function largeResult(bytes: number): SpecialRun {
  return {
    name: 'chaos.large',
    params: { result_bytes: bytes },
    expected: [bytes <= PAYLOAD_LIMIT ? 'completed' : 'dead_lettered'],
  };
}

/** Around both limits, of params and results; and everything that is no JSON. */
function largeRuns(random: Random): SpecialRun[] {
  const sizes = [
    random.int(100, PAYLOAD_LIMIT),
    INLINE_LIMIT,
    INLINE_LIMIT + 1,
    PAYLOAD_LIMIT,
    PAYLOAD_LIMIT + 1,
  ];
  const odd: SpecialRun = {
    name: 'chaos.odd',
    params: { kind: random.pick(ODD_RESULTS) },
    expected: ['completed', 'dead_lettered'],
  };
  return [...sizes.map(largeParams), ...sizes.map(largeResult), odd].map((run) => ({
    ...run,
    atMs: random.int(0, 3_000),
  }));
}

export const hugePayload: Fault = {
  what: 'params and results around the limits of a row and of all, and results that are no JSON',
  losesLeases: false,
  specialRuns: largeRuns,
  inject: async (bed, _random, signal) => {
    await untilSignal(signal);
    const large = bed.load.planned.filter(
      ({ spec }) => spec.name === 'chaos.large' || spec.name === 'chaos.odd',
    );
    bed.count('large or odd payloads', large.length - (bed.effects.get('large or odd payloads') ?? 0));
  },
  heal: nothingToHeal,
};
