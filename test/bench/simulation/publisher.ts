/**
 * A process's hints on their way: cut for the live workers, sent one flush after the other (what is announced meanwhile is
 * cut together), given up when Redis does not answer in time.
 */
import { runsPerHint } from '@spine/execution';
import type { EventQueue } from './event-queue.ts';
import type { Lane, RunModel } from './lane.ts';
import type { OverdueRuns } from './overdue.ts';
import { ENGINE } from './parameters.ts';
import type { Scenario } from './parameters.ts';

export interface PublisherServices {
  readonly events: EventQueue;
  readonly lane: Lane;
  readonly overdue: OverdueRuns;
  readonly scenario: Scenario;
}

export class PublisherModel {
  readonly #services: PublisherServices;
  /** The circuit breaker: until then hints are dropped. */
  #openUntil = -1;
  #waiting: RunModel[] = [];
  #publishing = false;

  constructor(services: PublisherServices) {
    this.#services = services;
  }

  /** False while the queue is known to be down. */
  get available(): boolean {
    return this.#services.events.now >= this.#openUntil;
  }

  announce(runs: readonly RunModel[]): void {
    for (const run of runs) {
      this.#services.overdue.watch(run);
      this.#waiting.push(run);
    }
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    if (this.#publishing || this.#waiting.length === 0) return;
    const { workers, slots } = this.#services.scenario;
    const runs = this.#waiting;
    this.#waiting = [];
    const size = runsPerHint(runs.length, { workers, slots });
    let left = Math.ceil(runs.length / size);
    this.#publishing = true;
    for (let from = 0; from < runs.length; from += size) {
      this.#send(runs.slice(from, from + size), () => {
        left -= 1;
        if (left > 0) return;
        this.#publishing = false;
        this.#sendWaiting();
      });
    }
  }

  /** `done` is called when the hint is stored, dropped or given up. */
  #send(hint: readonly RunModel[], done: () => void): void {
    const { events, lane, overdue } = this.#services;
    if (!this.available) {
      overdue.add(hint);
      events.after(0, done);
      return;
    }
    let over = false;
    const end = (): void => {
      if (!over) done();
      over = true;
    };
    lane.publish(hint, end);
    events.after(ENGINE.publishTimeoutMs, () => {
      if (over) return;
      this.#openUntil = events.now + ENGINE.breakerMs;
      overdue.add(hint);
      end();
    });
  }
}
