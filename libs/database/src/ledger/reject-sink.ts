import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { PartitionKey } from './manifest.ts';
import { writeRejects } from './rejects.ts';
import type { NewReject } from './rejects.ts';

/** What all rejects of one sink share. */
export interface RejectSinkOptions {
  /** A transaction, so that rejects commit with the rows that passed. */
  readonly db: Db | DbTransaction;
  readonly domain: string;
  /** One sink serves one stage, so that rejects can be told apart by where they were refused. */
  readonly stage: string;
  readonly runId: string;
  readonly batchId?: string | null;
  readonly ruleVersion?: string | null;
}

/** A refused row, without what its sink knows. */
export type Reject = Pick<
  NewReject,
  'reasonCode' | 'reasonDetail' | 'raw' | 'sourceLocator' | 'lineNumber' | 'recordHash' | 'sourceHash'
>;

/** Where a stage puts what it refuses. */
export class RejectSink {
  readonly #options: RejectSinkOptions;
  #count = 0;
  #written = 0;

  constructor(options: RejectSinkOptions) {
    this.#options = options;
  }

  /** Rows refused through this sink. */
  get count(): number {
    return this.#count;
  }

  /** Those of them that had not been refused before: the same row of the same source is one reject. */
  get written(): number {
    return this.#written;
  }

  write(reject: Reject, partitionKey: PartitionKey): Promise<void> {
    return this.writeBatch([reject], partitionKey);
  }

  async writeBatch(rejects: readonly Reject[], partitionKey: PartitionKey): Promise<void> {
    const { db, domain, stage, runId, batchId = null, ruleVersion = null } = this.#options;
    this.#written += await writeRejects(
      db,
      rejects.map((reject) => ({ ...reject, domain, stage, partitionKey, runId, batchId, ruleVersion })),
    );
    this.#count += rejects.length;
  }
}
