/** How long steps take together when each takes as long as it is expected to. */
import type { WorkflowShape } from '../shape.ts';

export interface TimedStep {
  readonly seconds: number;
  /** Whether it counts against the workflow's limit. */
  readonly slot: boolean;
}

/**
 * Seconds from the first start to the last end: a step starts when those before it have ended and a slot is free, of
 * several in one wave the one that could start first. A figure to compare plans by, as good as the estimates are.
 *
 * @param limit steps at the same time; undefined for any number.
 */
export function makespan(
  shape: WorkflowShape,
  steps: ReadonlyMap<string, TimedStep>,
  limit: number | undefined,
): number {
  const ready = new Map<string, number>();
  const slots = new Slots(limit);
  let end = 0;
  for (const wave of shape.waves) {
    const order = [...wave].sort((a, b) => (ready.get(a) ?? 0) - (ready.get(b) ?? 0));
    for (const name of order) {
      const { seconds, slot } = steps.get(name) ?? { seconds: 0, slot: false };
      const from = ready.get(name) ?? 0;
      const done = slot ? slots.take(from, seconds) : from + seconds;
      end = Math.max(end, done);
      for (const { to } of shape.graph.outgoing.get(name) ?? [])
        ready.set(to, Math.max(ready.get(to) ?? 0, done));
    }
  }
  return end;
}

/** When each slot is free again, soonest first. */
class Slots {
  readonly #limit: number | undefined;
  readonly #free: number[] = [];

  constructor(limit: number | undefined) {
    this.#limit = limit;
  }

  /** The end of what could start at `from` and takes `seconds`. */
  take(from: number, seconds: number): number {
    if (this.#limit === undefined) return from + seconds;
    const soonest = this.#free.length < this.#limit ? 0 : (this.#free.shift() ?? 0);
    const end = Math.max(from, soonest) + seconds;
    const at = this.#free.findIndex((each) => each > end);
    this.#free.splice(at < 0 ? this.#free.length : at, 0, end);
    return end;
  }
}
