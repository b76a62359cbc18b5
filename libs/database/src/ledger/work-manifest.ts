import { isAtLeastStage, latestStage } from '@spine/core';
import type { Stages } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { advanceManifest, manifestOf } from './manifest.ts';
import type { ManifestRow, PartitionKey } from './manifest.ts';

/** A partition has reached a stage, for the first time or again. */
export interface StageChange {
  readonly domain: string;
  readonly partitionKey: PartitionKey;
  /** The furthest stage it had reached before; null for none. */
  readonly before: ManifestRow | null;
  /** The row as it was written. */
  readonly reached: ManifestRow;
}

/**
 * Called after the row was written, on the caller's connection and before the caller's commit: what the hook writes
 * through the same transaction commits with the row, what it throws rolls the row back, and what it does outside may
 * tell of a row that never was. Without a transaction the row is committed when the hook is called.
 */
export type StageHook = (change: StageChange) => void | Promise<void>;

export interface WorkManifestOptions<S extends string> {
  readonly db: Db | DbTransaction;
  readonly domain: string;
  readonly stages: Stages<S>;
  /** The run that reaches stages. */
  readonly runId: string;
  readonly batchId?: string | null;
  readonly onStageChange?: StageHook;
}

export interface StageFacts {
  /** Rows the stage holds. Default null: not counted. */
  readonly rowCount?: number | null;
  /** Any JSON. Default {}. */
  readonly metrics?: Readonly<Record<string, unknown>>;
}

/** Where the partitions of one domain stand, with the domain's own stages. */
export class WorkManifest<S extends string> {
  readonly #options: WorkManifestOptions<S>;

  constructor(options: WorkManifestOptions<S>) {
    this.#options = options;
  }

  /**
   * Records that a partition reached a stage. The row of that stage is written anew; those of other stages stay, also
   * of later ones.
   * @throws ValidationError for a stage the domain does not have.
   */
  async advanceTo(partitionKey: PartitionKey, stage: S, facts: StageFacts = {}): Promise<ManifestRow> {
    const { db, domain, stages, runId, batchId = null, onStageChange } = this.#options;
    const stageRank = stages.rankOf(stage);
    const before = onStageChange === undefined ? null : await this.latest(partitionKey);
    const { rowCount = null, metrics = {} } = facts;
    const reached = await advanceManifest(db, {
      domain,
      partitionKey,
      stage,
      stageRank,
      rowCount,
      metrics,
      runId,
      batchId,
    });
    await onStageChange?.({ domain, partitionKey, before, reached });
    return reached;
  }

  /**
   * Whether the partition has reached this stage or a later one.
   * @throws ValidationError for a stage the domain does not have.
   */
  async isAtLeast(partitionKey: PartitionKey, stage: S): Promise<boolean> {
    const { stages } = this.#options;
    stages.rankOf(stage);
    return isAtLeastStage(stages, await this.all(partitionKey), stage);
  }

  /**
   * The row of one stage, or null while it has not been reached.
   * @throws ValidationError for a stage the domain does not have.
   */
  async get(partitionKey: PartitionKey, stage: S): Promise<ManifestRow | null> {
    this.#options.stages.rankOf(stage);
    return (await this.all(partitionKey)).find((row) => row.stage === stage) ?? null;
  }

  /** The furthest stage reached, or null for none. */
  async latest(partitionKey: PartitionKey): Promise<ManifestRow | null> {
    return latestStage(this.#options.stages, await this.all(partitionKey));
  }

  /** Every stage the partition has reached, lowest first. */
  all(partitionKey: PartitionKey): Promise<ManifestRow[]> {
    return manifestOf(this.#options.db, this.#options.domain, partitionKey);
  }
}
