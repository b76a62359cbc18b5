/**
 * Advances workflow runs for as long as its process lives. Any number of drivers work side by side.
 *
 * 1. A driver holds nothing between two advances: what one process began to look at any other takes up. 2. It looks when
 *    something that a workflow waits for has ended in its own process, and twice a second in any case: a look that finds
 *    nothing is one probe of an index. 3. A run whose advance fails is put off, for longer each time, so that it does not
 *    keep others from their turn; conflicts between transactions are tried again at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { classifySqlFault, dueWorkflows, putOffInbox } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { EventSignal } from '@spine/execution';
import type { Logger } from '@spine/observability';
import { advanceRun } from './advance-run.ts';
import type { AdvanceServices } from './carry-out.ts';

export interface WorkflowDriverOptions extends AdvanceServices {
  /** For looking who is due. */
  readonly pool: Queryable;
  readonly logger: Logger;
  /** Told of what was committed. */
  readonly eventSignal?: EventSignal | undefined;
  /** Default 500 ms. */
  readonly pollMs?: number;
  /** Runs advanced at the same time. Default 4. */
  readonly concurrency?: number;
}

const BATCH = 64;
const LONGEST_PUT_OFF_SECONDS = 60;
/** Runs whose failures are counted. */
const REMEMBERED = 10_000;

export class WorkflowDriver {
  readonly #options: WorkflowDriverOptions;
  readonly #stopping = new AbortController();
  readonly #failures = new Map<string, number>();
  #loop: Promise<void> | null = null;
  #woken = false;
  #wake: () => void = () => undefined;

  constructor(options: WorkflowDriverOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when the advances under way have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#loop;
  }

  /** Something that a workflow waits for may have happened. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { logger, pollMs = 500 } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#woken = false;
      let advanced = 0;
      try {
        advanced = await this.#round();
      } catch (error) {
        logger.warn({ err: error }, 'the driver of workflows could not look who is due');
      }
      // What was advanced may have made more due.
      if (advanced === 0) await this.#pause(pollMs);
    }
  }

  /** @returns how many runs have been advanced. */
  async #round(): Promise<number> {
    const due = await dueWorkflows(this.#options.pool, BATCH);
    let next = 0;
    let advanced = 0;
    const work = async (): Promise<void> => {
      for (let runId = due[next++]; runId !== undefined; runId = due[next++]) {
        if (this.#stopping.signal.aborted) return;
        if (await this.#advance(runId)) advanced += 1;
      }
    };
    const { concurrency = 4 } = this.#options;
    await Promise.all(Array.from({ length: Math.min(concurrency, due.length) }, work));
    if (advanced > 0) this.#options.eventSignal?.touch();
    return advanced;
  }

  async #advance(runId: string): Promise<boolean> {
    try {
      const outcome = await advanceRun(this.#options, runId);
      this.#failures.delete(runId);
      return outcome.type !== 'left';
    } catch (error) {
      await this.#failed(runId, error);
      return false;
    }
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
    if (fault === 'connection') return;
    const seconds = Math.min(2 ** (failures - 1), LONGEST_PUT_OFF_SECONDS);
    await putOffInbox(db, runId, seconds).catch(() => undefined);
  }

  async #pause(ms: number): Promise<void> {
    if (this.#woken || this.#stopping.signal.aborted) return;
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    const waiting = new AbortController();
    await Promise.race([woken, sleep(ms, undefined, { signal: waiting.signal }).catch(() => undefined)]);
    waiting.abort();
    this.#wake = () => undefined;
  }
}
