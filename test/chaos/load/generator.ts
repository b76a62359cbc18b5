/**
 * The client of the system under test.
 *
 * 1. Every 2xx answer is remembered, repeated ones too: what was promised is checked, not what was meant.
 * 2. A request without a clear answer is sent again, under the same idempotency keys, until it has one or the load is
 *    given up; then its keys count as unanswered.
 */
import { pause } from '../pause.ts';
import { cancel, submitMany, submitOne } from './api-client.ts';
import type { Answer } from './api-client.ts';
import type { PlannedRun, Submission } from './plan.ts';

export interface PromisedRun {
  readonly key: string;
  readonly runId: string;
}

export interface LoadOptions {
  /** The address of the API now; null while there is none. */
  readonly api: () => string | null;
  /** Told of answers that must not be. */
  readonly problem: (text: string) => void;
}

const RETRY_MS = 150;

export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #promised: PromisedRun[] = [];
  readonly #planned: PlannedRun[] = [];
  readonly #unanswered = new Set<string>();
  #repeated = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Every 2xx answer so far, in order. */
  get promised(): readonly PromisedRun[] {
    return this.#promised;
  }

  /** Every run that was to be submitted so far. */
  get planned(): readonly PlannedRun[] {
    return this.#planned;
  }

  /** Keys without a clear answer: under way, or given up. */
  get unanswered(): ReadonlySet<string> {
    return this.#unanswered;
  }

  /** Requests sent again because their answer was lost or said "later". */
  get repeated(): number {
    return this.#repeated;
  }

  /** Submits at the planned times; resolves when everything has its answer, or soon after the signal. */
  async run(submissions: readonly Submission[], signal: AbortSignal): Promise<void> {
    for (const { runs } of submissions) {
      this.#planned.push(...runs);
      for (const { key } of runs) this.#unanswered.add(key);
    }
    await Promise.all(submissions.map((submission) => this.#carryOut(submission, signal)));
  }

  async #carryOut({ atMs, runs, twice }: Submission, signal: AbortSignal): Promise<void> {
    await pause(atMs, signal);
    await this.#untilAnswered(runs, signal);
    if (twice) await this.#untilAnswered(runs, signal);
  }

  async #untilAnswered(runs: readonly PlannedRun[], signal: AbortSignal): Promise<void> {
    let left = runs;
    while (left.length > 0 && !signal.aborted) {
      const answers = await this.#send(left);
      left = left.filter((run, index) => !this.#settle(run, answers[index] ?? { type: 'unclear' }, signal));
      if (left.length === 0) return;
      this.#repeated += 1;
      await pause(RETRY_MS, signal);
    }
  }

  async #send(runs: readonly PlannedRun[]): Promise<readonly Answer[]> {
    const api = this.#options.api();
    const [only, ...others] = runs;
    if (api === null || only === undefined) return [];
    if (others.length === 0) return [await submitOne(api, only.spec)];
    return submitMany(
      api,
      runs.map((run) => run.spec),
    );
  }

  /** True when the answer is clear. */
  #settle(run: PlannedRun, answer: Answer, signal: AbortSignal): boolean {
    if (answer.type === 'unclear') return false;
    this.#unanswered.delete(run.key);
    if (answer.type === 'refused') {
      if (run.expected !== 'refused') {
        this.#options.problem(`${run.key} was refused with ${answer.status}: ${answer.detail}`);
      }
      return true;
    }
    if (run.expected === 'refused') this.#options.problem(`${run.key} was accepted and should be refused`);
    this.#promised.push({ key: run.key, runId: answer.runId });
    if (run.cancelAfterMs !== null) void this.#cancelLater(answer.runId, run.cancelAfterMs, signal);
    return true;
  }

  async #cancelLater(runId: string, afterMs: number, signal: AbortSignal): Promise<void> {
    await pause(afterMs, signal);
    const api = this.#options.api();
    if (api !== null) await cancel(api, runId);
  }
}
