import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** One lane as it was counted a moment ago. */
export interface LaneReading {
  /** A lane that operators have configured, or `other`. */
  readonly lane: string;
  readonly waiting: number;
  /** Of the waiting ones, those that could start now. */
  readonly due: number;
  readonly running: number;
  /** How long the longest of the due ones has been due; 0 for none. */
  readonly oldestDueSeconds: number;
  readonly paused: boolean;
  /** Live workers that serve it. */
  readonly workers: number;
}

/** The state of the lanes, set as a whole: a lane that is gone leaves no series behind. */
export class LaneGauges {
  readonly #runs: Gauge<'lane' | 'state'>;
  readonly #oldest: Gauge<'lane'>;
  readonly #paused: Gauge<'lane'>;
  readonly #workers: Gauge<'lane'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#runs = new Gauge({
      name: 'spine_lane_runs',
      help: 'Runs of a lane by state, waiting and due ones counted up to 10,000.',
      labelNames: ['lane', 'state'],
      registers,
    });
    this.#oldest = new Gauge({
      name: 'spine_lane_oldest_due_seconds',
      help: 'How long the longest waiting due run of a lane has been due.',
      labelNames: ['lane'],
      registers,
    });
    this.#paused = new Gauge({
      name: 'spine_lane_paused',
      help: '1 for a lane that is paused.',
      labelNames: ['lane'],
      registers,
    });
    this.#workers = new Gauge({
      name: 'spine_lane_workers',
      help: 'Live workers that serve a lane.',
      labelNames: ['lane'],
      registers,
    });
  }

  set(readings: readonly LaneReading[]): void {
    for (const gauge of [this.#runs, this.#oldest, this.#paused, this.#workers]) gauge.reset();
    for (const { lane, waiting, due, running, oldestDueSeconds, paused, workers } of readings) {
      this.#runs.set({ lane, state: 'waiting' }, waiting);
      this.#runs.set({ lane, state: 'due' }, due);
      this.#runs.set({ lane, state: 'running' }, running);
      this.#oldest.set({ lane }, oldestDueSeconds);
      this.#paused.set({ lane }, paused ? 1 : 0);
      this.#workers.set({ lane }, workers);
    }
  }
}
