/**
 * The lines before gates, looked at by whoever maintains: what a worker that died would have told.
 *
 * 1. Every second all lines are looked at, a stretch a round: a place that nobody announced is found. 2. What counts for
 * nothing any more is removed stretch by stretch; rounds are bounded whatever the tables hold.
 */
import { sweepGateStates, sweepHolds, sweepWaiters, waitingByGate } from '@spine/database';
import type { GateKey, HoldCursor, Pool } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { HintPublisher } from '../dispatch/hint-publisher.ts';
import { LineWatch } from '../gates/line-watch.ts';
import { Ticker } from './ticker.ts';

export interface GateSweepOptions {
  readonly gatePool: Pool;
  readonly publisher: HintPublisher;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Between two looks at the lines. Default 1 s. */
  readonly lookMs?: number;
  /** Between two rounds of removing. Default 15 s. */
  readonly removeMs?: number;
}

export interface GateSweep {
  start(): void;
  stop(): Promise<void>;
}

/** Rows one round of removing looks at, of each table. */
const BATCH = 2_000;

export function createGateSweep(options: GateSweepOptions): GateSweep {
  const { gatePool, logger } = options;
  const watch = new LineWatch({ ...options, db: gatePool });
  const lines = new Ticker({
    name: 'gate-lines',
    everyMs: options.lookMs ?? 1_000,
    logger,
    tick: () => watch.sweep(),
  });
  const remover = new Remover(options);
  const rest = new Ticker({
    name: 'gate-sweep',
    everyMs: options.removeMs ?? 15_000,
    logger,
    tick: () => remover.round(),
  });
  return {
    start: () => {
      lines.start();
      rest.start();
    },
    stop: async () => {
      await Promise.all([lines.stop(), rest.stop()]);
      await watch.stop();
    },
  };
}

class Remover {
  readonly #options: GateSweepOptions;
  #holds: HoldCursor | null = null;
  #waiters: string | null = null;
  #states: GateKey | null = null;

  constructor(options: GateSweepOptions) {
    this.#options = options;
  }

  /** One stretch of each table; true where there is more to remove. */
  async round(): Promise<boolean> {
    const { gatePool, metrics } = this.#options;
    const holds = await sweepHolds(gatePool, this.#holds, BATCH);
    this.#holds = holds.next;
    metrics.holdsReaped.inc(holds.removed);
    const waiters = await sweepWaiters(gatePool, this.#waiters, BATCH);
    this.#waiters = waiters.next;
    const states = await sweepGateStates(gatePool, this.#states, BATCH);
    this.#states = states.next;
    for (const [type, waiting] of await waitingByGate(gatePool)) metrics.gateWaiting.set({ type }, waiting);
    return [holds, waiters, states].some(({ removed, next }) => removed > 0 && next !== null);
  }
}
