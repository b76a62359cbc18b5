/**
 * Rows and rejects of one ingest on their way into the database.
 *
 * 1. One batch is written while the next one is gathered; memory holds these two, each bounded in lines and in bytes.
 * 2. Batches are written in the order of the file, so of equal rows the first one of the file is stored.
 * 3. After a batch that could not be written, none is: its error is thrown to whoever adds or finishes.
 * 4. The transaction may end only when nothing is under way: `settle` waits for that.
 */
import { writeRejects } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import { storeNewRows } from './repository.ts';
import type { Provenance } from './repository.ts';
import { StagedRows } from './row-staging.ts';
import type { Partition } from './row.ts';
import { INGEST_RULE_VERSION } from './rule-version.ts';
import type { RefusedLine, SortedLines } from './sort-lines.ts';
import { DOMAIN, Stage } from './vocabulary.ts';

export interface IngestCounts {
  /** Lines below the header that are not blank. */
  readonly file_rows: number;
  readonly inserted: number;
  /** Rows that were stored already, or stand in the file more than once. */
  readonly duplicates: number;
  readonly rejected: number;
}

/** A batch is written when it has so many lines, or so many bytes of rows and refused lines. */
const LINES_PER_BATCH = 5_000;
const BYTES_PER_BATCH = 2 * 1024 * 1024;
/** Most lines that may be added at once. */
export const MAX_LINES = 1_000;

interface Batch {
  readonly rows: StagedRows;
  refused: RefusedLine[];
  refusedLength: number;
  lines: number;
}

/** Its buffer takes a full batch of ordinary lines, whose text is reckoned at three times its length. */
const newBatch = (): Batch => ({
  rows: new StagedRows(LINES_PER_BATCH + MAX_LINES, 2 * BYTES_PER_BATCH),
  refused: [],
  refusedLength: 0,
  lines: 0,
});

export class IngestWriter {
  readonly #trx: DbTransaction;
  readonly #partition: Partition;
  readonly #provenance: Provenance;
  #batch = newBatch();
  /** The other one: under way, or written and empty. */
  #other = newBatch();
  #underWay: Promise<void> = Promise.resolve();
  #fileRows = 0;
  #inserted = 0;
  #rejected = 0;

  constructor(trx: DbTransaction, partition: Partition, provenance: Provenance) {
    this.#trx = trx;
    this.#partition = partition;
    this.#provenance = provenance;
  }

  /** Takes the next lines of the file, at most MAX_LINES; waits while two batches are full. */
  async add({ rows, refused }: SortedLines): Promise<void> {
    const batch = this.#batch;
    const lines = rows.length + refused.length;
    batch.rows.add(rows);
    batch.refused.push(...refused);
    for (const { raw } of refused) batch.refusedLength += raw.length;
    batch.lines += lines;
    this.#fileRows += lines;
    this.#rejected += refused.length;
    if (batch.lines < LINES_PER_BATCH && batch.rows.bytes + batch.refusedLength < BYTES_PER_BATCH) return;
    await this.#write();
  }

  /** Writes what is left, and answers when everything is written. */
  async finish(): Promise<IngestCounts> {
    await this.#write();
    await this.#underWay;
    const [file_rows, inserted, rejected] = [this.#fileRows, this.#inserted, this.#rejected];
    return { file_rows, inserted, duplicates: file_rows - inserted - rejected, rejected };
  }

  /** Waits until nothing is under way, whatever became of it. */
  async settle(): Promise<void> {
    await this.#underWay.catch(() => undefined);
  }

  async #write(): Promise<void> {
    await this.#underWay;
    const batch = this.#batch;
    [this.#batch, this.#other] = [this.#other, batch];
    this.#underWay = this.#store(batch);
    // Whoever waits for it gets its error; until then it is not unhandled.
    this.#underWay.catch(() => undefined);
  }

  /** Writes a batch and empties it. */
  async #store(batch: Batch): Promise<void> {
    const { rows, refused } = batch;
    this.#inserted += await storeNewRows(this.#trx, rows, this.#partition, this.#provenance);
    if (refused.length > 0) await this.#writeRefused(refused);
    rows.clear();
    batch.refused = [];
    batch.refusedLength = 0;
    batch.lines = 0;
  }

  async #writeRefused(refused: readonly RefusedLine[]): Promise<void> {
    const { sourceFile, sourceSha256, runId, batchId } = this.#provenance;
    const { tier, weekEnding } = this.#partition;
    const common = {
      domain: DOMAIN,
      partitionKey: { week_ending: weekEnding.date, tier },
      stage: Stage.INGESTED.name,
      sourceLocator: `${sourceFile}#sha256=${sourceSha256}`,
      sourceHash: sourceSha256,
      ruleVersion: INGEST_RULE_VERSION,
      runId,
      batchId,
    };
    await writeRejects(
      this.#trx,
      refused.map(({ reason, detail, raw, line, recordHash }) => ({
        ...common,
        reasonCode: reason,
        reasonDetail: detail,
        raw,
        lineNumber: line,
        recordHash,
      })),
    );
  }
}
