/**
 * Hints on their way: cut for the live workers, sent, and given up when Redis does not answer in time. Runs whose hint was
 * given up, or not taken for long, are overdue: the workers' polls take them, and the relay hints them again.
 */
import { runsPerHint } from '@spine/execution';
import type { Database } from './database.ts';
import type { EventQueue } from './event-queue.ts';
import type { Lane, RunModel } from './lane.ts';
import { ENGINE } from './parameters.ts';
import type { Scenario } from './parameters.ts';

export class PublisherModel {
  readonly #scenario: Scenario;
  readonly #events: EventQueue;
  readonly #database: Database;
  readonly #lane: Lane;
  /** The circuit breaker: until then hints are dropped. */
  #openUntil = -1;
  #overdue: RunModel[] = [];
  #waiting: RunModel[] = [];
  #publishing = 0;

  constructor(scenario: Scenario, events: EventQueue, database: Database, lane: Lane) {
    this.#scenario = scenario;
    this.#events = events;
    this.#database = database;
    this.#lane = lane;
  }

  startRelay(): void {
    this.#events.after(ENGINE.relayMs, () => this.#relay());
  }

  announce(runs: readonly RunModel[]): void {
    for (const run of runs) this.#watch(run);
    this.#waiting.push(...runs);
    this.#sendWaiting();
  }

  /** Takes up to `limit` runs that are overdue, as a worker's poll does. */
  takeOverdue(limit: number): RunModel[] {
    const taken: RunModel[] = [];
    const rest: RunModel[] = [];
    for (const run of this.#overdue) {
      if (run.state !== 'queued') continue;
      (taken.length < limit ? taken : rest).push(run);
    }
    this.#overdue = rest;
    return taken;
  }

  #sendWaiting(): void {
    if (this.#publishing >= ENGINE.publishesInFlight || this.#waiting.length === 0) return;
    const runs = this.#waiting;
    this.#waiting = [];
    const { workers, slots } = this.#scenario;
    const size = runsPerHint(runs.length, { workers, slots });
    let left = Math.ceil(runs.length / size);
    this.#publishing += 1;
    for (let from = 0; from < runs.length; from += size) {
      this.#send(runs.slice(from, from + size), () => {
        left -= 1;
        if (left > 0) return;
        this.#publishing -= 1;
        this.#sendWaiting();
      });
    }
  }

  /** `done` is called when the hint is stored, dropped or given up. */
  #send(hint: readonly RunModel[], done: () => void): void {
    if (this.#events.now < this.#openUntil) {
      this.#overdue.push(...hint);
      this.#events.after(0, done);
      return;
    }
    let over = false;
    const end = (): void => {
      if (!over) done();
      over = true;
    };
    this.#lane.publish(hint, end);
    this.#events.after(ENGINE.publishTimeoutMs, () => {
      if (over) return;
      this.#openUntil = this.#events.now + ENGINE.breakerMs;
      this.#overdue.push(...hint);
      end();
    });
  }

  #watch(run: RunModel): void {
    const pauses = ENGINE.hintGraceMs;
    const pause = pauses[Math.min(run.hintsSent, pauses.length - 1)] ?? 60_000;
    run.hintsSent += 1;
    this.#events.after(pause, () => {
      if (run.state === 'queued') this.#overdue.push(run);
    });
  }

  #relay(): void {
    const again = (): void => this.#events.after(ENGINE.relayMs, () => this.#relay());
    // With the queue down the runs stay due, and the workers' poll finds them.
    if (this.#events.now < this.#openUntil) {
      again();
      return;
    }
    const batch = this.takeOverdue(ENGINE.relayBatch);
    const part = { cost: this.#scenario.costs.relay, items: batch.length };
    this.#database.execute('relay', [part], () => {
      this.announce(batch);
      if (batch.length === ENGINE.relayBatch) this.#relay();
      else again();
    });
  }
}
