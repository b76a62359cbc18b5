/** Whether what Spine needs answers, as metrics: each is asked by itself, and one that hangs counts as down. */
import type { Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { HintQueue } from '../queue/port.ts';
import { within } from '../queue/within.ts';
import { Ticker } from './ticker.ts';

export interface DependencyWatchOptions {
  readonly pool: Queryable;
  readonly queue: HintQueue;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Default 15 s. */
  readonly everyMs?: number;
  /** How long one may take to answer. Default 5 s. */
  readonly answerMs?: number;
}

const EVERY_MS = 15_000;
const ANSWER_MS = 5_000;

async function answers(ask: () => Promise<unknown>, ms: number): Promise<boolean> {
  let answered = false;
  await within(
    ms,
    ask().then(() => {
      answered = true;
    }),
  );
  return answered;
}

/** The service that asks. */
export function createDependencyWatch(options: DependencyWatchOptions): Ticker {
  const { pool, queue, metrics, logger, everyMs = EVERY_MS, answerMs = ANSWER_MS } = options;
  const dependencies = {
    postgres: () => pool.query({ text: 'SELECT 1' }),
    queue: () => queue.check(),
  };
  return new Ticker({
    name: 'dependency watch',
    everyMs,
    logger,
    tick: async () => {
      await Promise.all(
        Object.entries(dependencies).map(async ([dependency, ask]) => {
          metrics.dependencyUp.set({ dependency }, (await answers(ask, answerMs)) ? 1 : 0);
        }),
      );
      return false;
    },
  });
}
