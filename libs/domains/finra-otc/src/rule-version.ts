/**
 * The rules by which ingest refuses a line: `row.ts` and the partition it is held against. Kept with every reject.
 * Raise it with every change of what is refused or why, so that `ledger.replay_rejects` can be asked for the rejects of
 * the version before.
 */
export const INGEST_RULE_VERSION = 'ingest-1';

/** The rules by which a version of `normalize` refuses a row, as its rejects name them. */
export function normalizeRules(calcVersion: string): string {
  return `normalize-${calcVersion}`;
}
