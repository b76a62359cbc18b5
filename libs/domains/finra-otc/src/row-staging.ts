import { copyLine } from '@spine/database';
import { RowHashes } from './row-hashes.ts';
import type { LocatedRow } from './sort-lines.ts';

/** The columns of a staged row, in the order of its values. */
export const STAGED_COLUMNS = [
  'record_hash',
  'symbol',
  'issue_name',
  'venue_name',
  'mpid',
  'total_shares',
  'total_trades',
  'last_update_date',
  'source_line',
] as const;

/** Most bytes of UTF-8 that a UTF-16 code unit takes. */
const BYTES_A_UNIT = 3;

/**
 * Rows on their way into the table, as the text that COPY takes. Of equal rows only the first is among them, so the one
 * statement that inserts them need not look which came first.
 *
 * Cleared, it is used again: text of millions of rows in ever new buffers would fill the memory faster than it is swept.
 */
export class StagedRows {
  readonly #hashes: RowHashes;
  readonly #buffer: Buffer;
  /** Bytes of the buffer that are text. */
  #length = 0;
  /** What did not fit into the buffer. */
  #overflow: Buffer[] = [];
  #bytes = 0;

  /**
   * @param capacity the most rows that are added before it is cleared.
   * @param expectedBytes of text; more is taken, too. Default 64 KiB.
   */
  constructor(capacity: number, expectedBytes = 64 * 1024) {
    this.#hashes = new RowHashes(capacity);
    this.#buffer = Buffer.allocUnsafe(expectedBytes);
  }

  add(rows: readonly LocatedRow[]): void {
    let text = '';
    for (const row of rows) {
      if (!this.#hashes.add(row.recordHash)) continue;
      text += copyLine([
        row.recordHash,
        row.symbol,
        row.issueName,
        row.venueName,
        row.mpid,
        row.totalShares,
        row.totalTrades,
        row.lastUpdateDate,
        row.line,
      ]);
    }
    this.#append(text);
  }

  /** Different rows. */
  get count(): number {
    return this.#hashes.size;
  }

  /** Of the text. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The text; good until rows are added or cleared. */
  get chunks(): readonly Buffer[] {
    return [this.#buffer.subarray(0, this.#length), ...this.#overflow];
  }

  clear(): void {
    this.#hashes.clear();
    this.#length = 0;
    this.#overflow = [];
    this.#bytes = 0;
  }

  #append(text: string): void {
    if (this.#length + text.length * BYTES_A_UNIT <= this.#buffer.length) {
      const written = this.#buffer.write(text, this.#length, 'utf8');
      this.#length += written;
      this.#bytes += written;
    } else if (text !== '') {
      const chunk = Buffer.from(text);
      this.#overflow.push(chunk);
      this.#bytes += chunk.length;
    }
  }
}
