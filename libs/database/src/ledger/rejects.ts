import { toStorableText } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';

/** A row that was refused: what it was, where it stood, why. Never deleted. */
export interface NewReject {
  readonly domain: string;
  readonly partitionKey: PartitionKey;
  readonly stage: string;
  /** Upper-case code, e.g. `INVALID_NUMBER`. */
  readonly reasonCode: string;
  readonly reasonDetail: string;
  /** The row as it stood in the source; characters a text column cannot hold are replaced. */
  readonly raw: string;
  /** Where the row came from, e.g. a file's name and SHA-256. */
  readonly sourceLocator: string;
  /** 1-based line in the source. */
  readonly lineNumber: number | null;
  readonly recordHash: string;
  readonly runId: string;
  readonly batchId: string | null;
}

const ROWS_PER_STATEMENT = 1_000;

/** Appends rejects; the same row refused again for the same reason is not written twice. Answers how many are new. */
export async function writeRejects(db: Db | DbTransaction, rejects: readonly NewReject[]): Promise<number> {
  let written = 0;
  for (let from = 0; from < rejects.length; from += ROWS_PER_STATEMENT) {
    const rows = await db
      .insertInto('rejects')
      .values(
        rejects.slice(from, from + ROWS_PER_STATEMENT).map((reject) => ({
          domain: reject.domain,
          partition_key: partitionKeyText(reject.partitionKey),
          stage: reject.stage,
          reason_code: reject.reasonCode,
          reason_detail: toStorableText(reject.reasonDetail),
          raw: toStorableText(reject.raw),
          source_locator: reject.sourceLocator,
          line_number: reject.lineNumber,
          record_hash: reject.recordHash,
          run_id: reject.runId,
          batch_id: reject.batchId,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .returning('reject_id')
      .execute();
    written += rows.length;
  }
  return written;
}
