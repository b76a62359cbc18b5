/** Runs whose hint was given up, or not taken for long: what the workers' polls and the relay find in Postgres. */
import type { EventQueue } from './event-queue.ts';
import type { RunModel } from './lane.ts';
import { ENGINE } from './parameters.ts';

export class OverdueRuns {
  readonly #events: EventQueue;
  #runs: RunModel[] = [];

  constructor(events: EventQueue) {
    this.#events = events;
  }

  add(runs: readonly RunModel[]): void {
    for (const run of runs) this.#runs.push(run);
  }

  /** A hint for the run is on its way: it is overdue when nobody has taken it after a pause that grows with each hint. */
  watch(run: RunModel): void {
    const pauses = ENGINE.hintGraceMs;
    const pause = pauses[Math.min(run.hintsSent, pauses.length - 1)] ?? 60_000;
    run.hintsSent += 1;
    this.#events.after(pause, () => {
      if (run.state === 'queued') this.#runs.push(run);
    });
  }

  /** Takes up to `limit` that still wait. */
  take(limit: number): RunModel[] {
    const taken: RunModel[] = [];
    const rest: RunModel[] = [];
    for (const run of this.#runs) {
      if (run.state !== 'queued') continue;
      (taken.length < limit ? taken : rest).push(run);
    }
    this.#runs = rest;
    return taken;
  }
}
