import { sha256Hex } from '@spine/core';
import type { SourceLine } from './lines.ts';
import { hashRow, parseRow } from './row.ts';
import type { Partition, Refusal, WeeklyRow } from './row.ts';
import { DELIMITER } from './vocabulary.ts';

/** A row with where it stood and the hash that says whether it is already stored. */
export interface LocatedRow extends WeeklyRow {
  /** 1-based line in the file. */
  readonly line: number;
  readonly recordHash: string;
}

/** A line that is no row, with the line itself as evidence. */
export interface RefusedLine extends Refusal {
  readonly line: number;
  /** The line as it stood in the file. */
  readonly raw: string;
  /** SHA-256 of `raw`. */
  readonly recordHash: string;
}

export interface SortedLines {
  readonly rows: readonly LocatedRow[];
  readonly refused: readonly RefusedLine[];
}

/** Sorts lines into rows and refusals: every line is in exactly one of the two, in the order given. */
export function sortLines(lines: readonly SourceLine[], partition: Partition): SortedLines {
  const rows: LocatedRow[] = [];
  const refused: RefusedLine[] = [];
  for (const { line, fields } of lines) {
    const parsed = parseRow(fields, partition);
    if (parsed.isOk()) {
      rows.push({ ...parsed.value, line, recordHash: hashRow(parsed.value, partition) });
    } else {
      // Fields are never quoted, so joining them gives the line back.
      const raw = fields.join(DELIMITER);
      refused.push({ ...parsed.error, line, raw, recordHash: sha256Hex(raw) });
    }
  }
  return { rows, refused };
}
