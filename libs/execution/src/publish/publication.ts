/** What a handler writes with in `ctx.publish`: its transaction, and verbs that carry the run's id and batch. */
import {
  advanceManifest,
  advanceWatermark,
  recordAnomaly,
  recordMaterialization,
  writeQualityResults,
  writeRejects,
} from '@spine/database';
import type {
  AdvanceOutcome,
  Anomaly,
  DbTransaction,
  ManifestRow,
  MaterializationOutcome,
  NewAnomaly,
  NewManifestRow,
  NewMaterialization,
  NewReject,
  NewWatermark,
  QualityScope,
} from '@spine/database';
import type { QualityOutcome } from '@spine/core';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { AttemptInfo } from '../worker/context.ts';
import type { Downstream, DownstreamRuns } from './downstream.ts';
import { PublishError } from './published.ts';

/** A ledger row without what the publication knows; `batchId` defaults to the run's correlation id. */
export type OfRun<Row> = Omit<Row, 'runId' | 'batchId'> & { readonly batchId?: string | null };

export interface Publication {
  /** For the handler's own rows. Commits with everything else, and must not be committed or kept. */
  readonly trx: DbTransaction;
  /** The partition has reached a stage of the manifest. */
  stage(row: OfRun<NewManifestRow>): Promise<ManifestRow>;
  /** Appends rejects; answers how many are new. */
  rejects(rows: readonly OfRun<NewReject>[]): Promise<number>;
  /**
   * Appends what quality checks found. It shuts no gate: throw where one is shut, and nothing is published, this verdict
   * included.
   */
  quality(scope: OfRun<QualityScope>, outcomes: readonly QualityOutcome[]): Promise<void>;
  /** Records an anomaly. */
  anomaly(anomaly: OfRun<NewAnomaly>): Promise<Anomaly>;
  /**
   * Moves a watermark forward; one that is not ahead is left, and the outcome says so.
   * @throws ValidationError for a position or a kind that is not the watermark's.
   */
  watermark(mark: OfRun<NewWatermark>): Promise<AdvanceOutcome>;
  /** The run has written a partition of an asset. @throws ValidationError for an input that is not there. */
  materialize(materialization: OfRun<NewMaterialization>): Promise<MaterializationOutcome>;
  /**
   * A downstream run: a child that exists from the commit on, and not at all if there is none.
   * @throws ValidationError for a spec that is refused; ConflictError when its idempotency key belongs to a run that asked
   * for something else; NotFoundError, retryable, when nobody knows its handler.
   */
  submit(spec: WorkSpec): Promise<Downstream>;
}

export class BoundPublication implements Publication {
  readonly #trx: DbTransaction;
  readonly #run: AttemptInfo;
  readonly #downstream: DownstreamRuns;
  #over = false;

  constructor(trx: DbTransaction, run: AttemptInfo, downstream: DownstreamRuns) {
    this.#trx = trx;
    this.#run = run;
    this.#downstream = downstream;
  }

  /** @throws PublishError once the work has returned. */
  get trx(): DbTransaction {
    if (this.#over) throw new PublishError('this publication is over: its work has returned');
    return this.#trx;
  }

  async stage(row: OfRun<NewManifestRow>): Promise<ManifestRow> {
    return advanceManifest(this.trx, this.#ofRun(row));
  }

  async rejects(rows: readonly OfRun<NewReject>[]): Promise<number> {
    return writeRejects(
      this.trx,
      rows.map((row) => this.#ofRun(row)),
    );
  }

  async quality(scope: OfRun<QualityScope>, outcomes: readonly QualityOutcome[]): Promise<void> {
    await writeQualityResults(this.trx, this.#ofRun(scope), outcomes);
  }

  async anomaly(anomaly: OfRun<NewAnomaly>): Promise<Anomaly> {
    return recordAnomaly(this.trx, this.#ofRun(anomaly));
  }

  async watermark(mark: OfRun<NewWatermark>): Promise<AdvanceOutcome> {
    return advanceWatermark(this.trx, this.#ofRun(mark));
  }

  async materialize(materialization: OfRun<NewMaterialization>): Promise<MaterializationOutcome> {
    return recordMaterialization(this.trx, this.#ofRun(materialization));
  }

  async submit(spec: WorkSpec): Promise<Downstream> {
    return this.#downstream.add(this.trx, spec);
  }

  /** The work has returned: what it still does afterwards is refused. */
  end(): void {
    this.#over = true;
  }

  #ofRun<Row extends { readonly batchId?: string | null }>(
    row: Row,
  ): Row & { readonly runId: string; readonly batchId: string | null } {
    const { runId, correlationId } = this.#run;
    return { ...row, runId, batchId: row.batchId ?? correlationId };
  }
}
