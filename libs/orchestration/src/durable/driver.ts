/**
 * Advances workflow runs for as long as its process lives. Any number of drivers work side by side.
 *
 * 1. A driver holds nothing between two advances: what one process began to look at any other takes up. 2. It looks when
 *    something that a workflow waits for has ended in its own process, when another process has told a workflow something,
 *    when the next timer is due, and every few seconds in any case: word that was lost, and what a dead process left, is
 *    found by that look. A look that finds nothing is two probes of an index in one statement. 3. A run whose advance fails
 *    is put off, for longer each time, so that it does not keep others from their turn; conflicts between transactions are
 *    tried again at once. 4. Who waits for the room of a run that has ended is told at once; nothing depends on it. 5. What begins
 *    in its own process is advanced by the commit that begins it (begin-runs.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever } from '@spine/core';
import { classifySqlFault, dueWorkflows, putOffInbox } from '@spine/database';
import type { BeginningRun, BeginOutcome, Queryable } from '@spine/database';
import { LineWatch } from '@spine/execution';
import type { Engine, EventSignal, HintPublisher } from '@spine/execution';
import type { AdvanceEnd, Logger, Metrics } from '@spine/observability';
import { advanceRuns } from './advance-run.ts';
import type { AdvanceResult, AdvanceResults } from './advance-run.ts';
import { traceAdvances } from './advance-span.ts';
import type { AdvanceSpanEnd } from './advance-span.ts';
import { together } from './batches.ts';
import { Beginnings } from './beginnings.ts';
import type { AdvanceServices } from './carry-out.ts';

export interface WorkflowDriverOptions extends AdvanceServices {
  /** For looking who is due. */
  readonly pool: Queryable;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Tells runs that wait for room that it is their turn. Without it the lines are told by those who sweep them. */
  readonly publisher?: HintPublisher | undefined;
  /** Told of what was committed. */
  readonly eventSignal?: EventSignal | undefined;
  /** Word of what other processes have told workflows. Without it the driver has to look more often. */
  readonly control?: Pick<Engine['control'], 'subscribe'> | undefined;
  /** The longest time between two looks. Default 5,000 ms, without `control` 500 ms. */
  readonly pollMs?: number;
  /** Transactions under way at the same time. Default 4. */
  readonly concurrency?: number;
}

/** Workflows that one look finds at the most. */
const LOOK = 512;
const HEARING_POLL_MS = 5_000;
const DEAF_POLL_MS = 500;
/** Between two looks while what is due is advanced by others, or cannot be. */
const BUSY_POLL_MS = 500;
/** Word of others leads to one look in so many milliseconds at most, however much of it comes. */
const WORD_SPREAD_MS = 50;
const LONGEST_PUT_OFF_SECONDS = 60;
/** Runs whose failures are counted. */
const REMEMBERED = 10_000;

export class WorkflowDriver {
  readonly #options: WorkflowDriverOptions;
  readonly #stopping = new AbortController();
  readonly #failures = new Map<string, number>();
  readonly #lines: LineWatch | null;
  readonly #beginnings: Beginnings;
  #loop: Promise<void> | null = null;
  #unsubscribe: () => void = () => undefined;
  #woken = false;
  #wake: () => void = () => undefined;
  /** Set while word of others waits for its look. */
  #word: NodeJS.Timeout | null = null;
  #lookedAt = 0;

  constructor(options: WorkflowDriverOptions) {
    this.#options = options;
    const { publisher, pool: db, logger } = options;
    this.#lines = publisher === undefined ? null : new LineWatch({ db, publisher, logger });
    const advanced = (results: AdvanceResults, from: number): void => void this.#account(results, from);
    this.#beginnings = new Beginnings({ services: options, pool: db, logger, advanced });
  }

  start(): void {
    if (this.#loop !== null) return;
    const heard = (): void => this.#heard();
    this.#unsubscribe =
      this.#options.control?.subscribe({
        onMessage: ({ type }) => {
          if (type === 'workflows') heard();
        },
        onReconnect: heard,
      }) ?? this.#unsubscribe;
    this.#loop = this.#run();
  }

  /** Resolves when the advances under way have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#unsubscribe();
    if (this.#word !== null) clearTimeout(this.#word);
    this.#wake();
    await this.#loop;
    await this.#beginnings.stop();
    await this.#lines?.stop();
  }

  /**
   * Hands runs over that nothing is left to be decided about, and advances their workflows for the first time in the same
   * transaction.
   * @param source written as the source of the event `handed_over`. @throws what the database throws.
   */
  begin(runs: readonly BeginningRun[], source: string): Promise<readonly BeginOutcome[]> {
    return this.#beginnings.begin(runs, source);
  }

  /** Something that a workflow waits for may have happened. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** Another process may have told a workflow something. */
  #heard(): void {
    if (this.#word !== null || this.#stopping.signal.aborted) return;
    const wait = Math.max(0, this.#lookedAt + WORD_SPREAD_MS - performance.now());
    this.#word = setTimeout(() => {
      this.#word = null;
      this.wake();
    }, wait);
  }

  async #run(): Promise<void> {
    const {
      logger,
      control,
      pollMs = control === undefined ? DEAF_POLL_MS : HEARING_POLL_MS,
    } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#woken = false;
      this.#lookedAt = performance.now();
      let restMs = BUSY_POLL_MS;
      try {
        restMs = await this.#round();
      } catch (error) {
        logger.warn({ err: error }, 'the driver of workflows could not look who is due');
      }
      await this.#pause(Math.min(restMs, pollMs));
    }
  }

  /** @returns how long to rest, in milliseconds. */
  async #round(): Promise<number> {
    const { due, nextMs } = await dueWorkflows(this.#options.pool, LOOK);
    // A timer of this machine may be early by a part of a millisecond.
    if (due.length === 0) return nextMs === null ? Infinity : Math.ceil(nextMs) + 1;
    const batches = together(due);
    let next = 0;
    let advanced = 0;
    const work = async (): Promise<void> => {
      for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
        if (this.#stopping.signal.aborted) return;
        advanced += await this.#advance(batch);
      }
    };
    const { concurrency = 4 } = this.#options;
    await Promise.all(Array.from({ length: Math.min(concurrency, batches.length) }, work));
    if (advanced === 0) return BUSY_POLL_MS;
    this.#options.eventSignal?.touch();
    // What was advanced may have made more due.
    return 0;
  }

  /** @returns how many were advanced. */
  async #advance(runIds: readonly string[]): Promise<number> {
    const { metrics } = this.#options;
    const from = performance.now();
    let results: AdvanceResults;
    try {
      results = await advanceRuns(this.#options, runIds);
    } catch (error) {
      metrics.workflows.advances.inc({ outcome: 'failed' }, runIds.length);
      this.#options.logger.warn(
        { err: error, workflows: runIds.length },
        'workflows could not be advanced; they are tried again',
      );
      return 0;
    }
    metrics.workflows.advances.inc({ outcome: 'left' }, runIds.length - results.size);
    return this.#account(results, from);
  }

  /** @returns how many were advanced. */
  async #account(results: AdvanceResults, from: number): Promise<number> {
    const { metrics } = this.#options;
    let advanced = 0;
    metrics.workflows.advanceSeconds.observe((performance.now() - from) / 1_000);
    const ends = new Map<string, AdvanceSpanEnd>();
    for (const [runId, result] of results) {
      const outcome = endOf(result);
      ends.set(runId, { outcome, error: result.type === 'failed' ? result.error : null });
      metrics.workflows.advances.inc({ outcome });
      if (result.type === 'failed') {
        await this.#failed(runId, result.error);
        continue;
      }
      this.#failures.delete(runId);
      if (result.type === 'left') continue;
      this.#lines?.freed(result.freed);
      advanced += 1;
    }
    await traceAdvances(this.#options.pool, { ends, from });
    return advanced;
  }

  async #failed(runId: string, error: unknown): Promise<void> {
    const { db, logger } = this.#options;
    const fault = classifySqlFault(error);
    if (fault === 'conflict') {
      this.#woken = true;
      return;
    }
    const failures = (this.#failures.get(runId) ?? 0) + 1;
    if (this.#failures.size < REMEMBERED) this.#failures.set(runId, failures);
    logger.warn(
      { err: error, run_id: runId, failures },
      'a workflow could not be advanced; it is tried again',
    );
    const seconds = Math.min(2 ** (failures - 1), LONGEST_PUT_OFF_SECONDS);
    await putOffInbox(db, runId, seconds).catch(() => undefined);
  }

  async #pause(ms: number): Promise<void> {
    if (ms <= 0 || this.#woken || this.#stopping.signal.aborted) return;
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    const waiting = new AbortController();
    await Promise.race([woken, sleep(ms, undefined, { signal: waiting.signal }).catch(() => undefined)]);
    waiting.abort();
    this.#wake = () => undefined;
  }
}

function endOf(result: AdvanceResult): AdvanceEnd {
  switch (result.type) {
    case 'advanced':
      return result.ended ? 'ended' : 'advanced';
    case 'failed':
      return classifySqlFault(result.error) === 'conflict' ? 'conflict' : 'failed';
    case 'left':
    case 'suspended':
    case 'closed':
      return result.type;
    default:
      return assertNever(result);
  }
}
