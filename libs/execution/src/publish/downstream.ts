/**
 * The runs that a publication starts.
 *
 * 1. They are checked when they are asked for and inserted at the end, behind the settlement: keys and singletons are
 *    locked for no longer than the commit takes, and in one order. 2. They need no fence of their own: the settlement in
 *    their transaction is one. 3. The ids that were promised are the ids that commit: when another submit took a key in
 *    between, nothing is published. 4. Params that are too large for the row are stored before, and removed when nothing
 *    commits.
 */
import { ConflictError, NotFoundError, TransientError, ValidationError } from '@spine/core';
import { asQueryable, insertRuns, insertSingletonIn, runWithKey } from '@spine/database';
import type { DbTransaction, InsertOutcome, NewRun } from '@spine/database';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Payloads } from '../payload/payloads.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { AttemptInfo } from '../worker/context.ts';

/** A downstream run. */
export interface Downstream {
  /** `existing`: its idempotency key belongs to a run that asked for the same; nothing new is started. */
  readonly type: 'accepted' | 'existing';
  readonly runId: string;
}

/** Runs of one INSERT. */
const RUNS_PER_STATEMENT = 500;

export class DownstreamRuns {
  readonly #run: AttemptInfo;
  readonly #dispatcher: Dispatcher;
  readonly #payloads: Payloads;
  readonly #runs: NewRun[] = [];
  #hinted = true;

  constructor(run: AttemptInfo, dispatcher: Dispatcher, payloads: Payloads) {
    this.#run = run;
    this.#dispatcher = dispatcher;
    this.#payloads = payloads;
  }

  /** @throws as Publication.submit says. */
  async add(trx: DbTransaction, spec: WorkSpec): Promise<Downstream> {
    const { runId, correlationId } = this.#run;
    const prepared = await this.#dispatcher.prepare({
      triggerSource: 'parent',
      correlationId: correlationId ?? runId,
      ...spec,
      parentRunId: runId,
    });
    if (prepared.type === 'invalid') {
      const { issues } = prepared;
      const message = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
      throw new ValidationError(`the downstream run is refused: ${message}`, { issues });
    }
    if (prepared.type === 'unknown_handler') {
      throw new NotFoundError(`the downstream run is refused: nobody knows handler ${prepared.handler}`, {
        retryable: true,
      });
    }
    const known = await this.#withKeyOf(trx, prepared.run);
    if (known !== null) return { type: 'existing', runId: known.runId };
    const run = await this.#payloads.stow(prepared.run);
    this.#runs.push(run);
    return { type: 'accepted', runId: run.runId };
  }

  /**
   * Stores all of them.
   * @throws TransientError when a key was taken since it was asked about; then nothing may be committed.
   */
  async insert(trx: DbTransaction, hinted: boolean): Promise<void> {
    this.#hinted = hinted;
    const info = { ambiguous: false, hinted };
    const on = asQueryable(trx);
    const plain = this.#runs.filter((run) => run.singletonKey === null).sort(byKey);
    for (let from = 0; from < plain.length; from += RUNS_PER_STATEMENT) {
      const runs = plain.slice(from, from + RUNS_PER_STATEMENT);
      const outcomes = await insertRuns(on, runs, info);
      runs.forEach((run, index) => mustBeNew(run, outcomes[index]));
    }
    const singletons = this.#runs.filter((run) => run.singletonKey !== null).sort(bySingleton);
    for (const run of singletons) mustBeNew(run, (await insertSingletonIn(on, run, info)).outcome);
  }

  /** They have committed. */
  announce(): void {
    if (this.#runs.length > 0) this.#dispatcher.announce(this.#runs, this.#hinted);
  }

  /** They will not be stored. */
  discard(): void {
    for (const { runId, paramsRef } of this.#runs) this.#payloads.discard(runId, paramsRef);
  }

  /** What has the idempotency key of a run already, among those asked for here or in the database. */
  async #withKeyOf(trx: DbTransaction, { idempotencyKey, specHash }: NewRun) {
    if (idempotencyKey === null) return null;
    const known =
      this.#runs.find((run) => run.idempotencyKey === idempotencyKey) ??
      (await runWithKey(asQueryable(trx), idempotencyKey, this.#run.runId));
    if (known === null || known.specHash === specHash) return known;
    throw new ConflictError(
      `the downstream run is refused: idempotency key ${JSON.stringify(idempotencyKey)} belongs to run ${known.runId}, which asked for something else`,
    );
  }
}

function mustBeNew(run: NewRun, outcome: InsertOutcome | undefined): void {
  if (outcome?.type === 'inserted') return;
  throw new TransientError(
    `another submit has taken idempotency key ${JSON.stringify(run.idempotencyKey)} meanwhile; nothing is published`,
  );
}

function byKey(a: NewRun, b: NewRun): number {
  return compare(a.idempotencyKey ?? '', b.idempotencyKey ?? '');
}

function bySingleton(a: NewRun, b: NewRun): number {
  return compare(a.singletonKey ?? '', b.singletonKey ?? '');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
