/** Servers that share one queue: the cores of a database, the one thread of Redis or of a node process. */
import type { EventQueue } from './event-queue.ts';
import { Line } from './line.ts';

interface Job {
  readonly milliseconds: number;
  readonly done: () => void;
}

export class Station {
  readonly #events: EventQueue;
  readonly #servers: number;
  readonly #waiting = new Line<Job>();
  #busy = 0;
  #worked = 0;

  constructor(events: EventQueue, servers: number) {
    this.#events = events;
    this.#servers = servers;
  }

  /** Milliseconds of work begun so far, all servers together. */
  get worked(): number {
    return this.#worked;
  }

  /** Jobs that wait for a server. */
  get waiting(): number {
    return this.#waiting.length;
  }

  work(milliseconds: number, done: () => void): void {
    const job = { milliseconds, done };
    if (this.#busy < this.#servers) this.#start(job);
    else this.#waiting.push(job);
  }

  #start({ milliseconds, done }: Job): void {
    this.#busy += 1;
    this.#worked += milliseconds;
    this.#events.after(milliseconds, () => {
      this.#busy -= 1;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#start(next);
      done();
    });
  }
}
