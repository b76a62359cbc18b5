/** A lane in Redis: hints in order, workers in line for them. */
import type { EventQueue } from './event-queue.ts';
import type { Costs } from './parameters.ts';
import { Line } from './line.ts';
import { Station } from './station.ts';

export interface RunModel {
  readonly arrivedAt: number;
  state: 'queued' | 'held' | 'finished';
  hintsSent: number;
}

/** Of what a hint costs Redis, the share of adding it; the rest is fetching and finishing it. */
const ADDING = 0.2;

export type HintModel = readonly RunModel[];

export class Lane {
  readonly #events: EventQueue;
  readonly #costs: Costs;
  readonly redis: Station;
  readonly #hints = new Line<HintModel>();
  readonly #inLine = new Line<(hint: HintModel) => void>();

  constructor(events: EventQueue, costs: Costs) {
    this.#events = events;
    this.#costs = costs;
    this.redis = new Station(events, 1);
  }

  /** `stored` is called when Redis has answered. */
  publish(hint: HintModel, stored: () => void): void {
    this.#work(hint, this.#costs.redisHint * ADDING, () => {
      stored();
      const taker = this.#inLine.shift();
      if (taker === undefined) this.#hints.push(hint);
      else this.#deliver(hint, taker);
    });
  }

  /** Calls `taker` with the next hint, now or when there is one. */
  take(taker: (hint: HintModel) => void): void {
    const hint = this.#hints.shift();
    if (hint === undefined) this.#inLine.push(taker);
    else this.#deliver(hint, taker);
  }

  #deliver(hint: HintModel, taker: (hint: HintModel) => void): void {
    this.#work(hint, this.#costs.redisHint * (1 - ADDING), () => taker(hint));
  }

  #work(hint: HintModel, milliseconds: number, done: () => void): void {
    const { redisId, network } = this.#costs;
    this.#events.after(network, () => {
      this.redis.work(milliseconds + (redisId * hint.length) / 2, () => this.#events.after(network, done));
    });
  }
}
