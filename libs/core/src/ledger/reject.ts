/** Rejects: rows that were refused, and what becomes of them when the rules change. */

/** What the reason of a reject must match. */
export const REASON_CODE = /^[A-Z][A-Z0-9_]*$/;

/** What a repair found out about a reject. */
export const RepairOutcome = {
  /** The row passes now and was stored. Closes the reject. */
  REPAIRED: 'repaired',
  /** Broken still, under another version of the rules perhaps for another reason. The reject stays open. */
  STILL_REJECTED: 'still_rejected',
  /** The row passes now and what it says was stored already. Closes the reject. */
  SUPERSEDED: 'superseded',
} as const;
export type RepairOutcome = (typeof RepairOutcome)[keyof typeof RepairOutcome];
export const REPAIR_OUTCOMES: readonly RepairOutcome[] = Object.values(RepairOutcome);

/** What today's rules say of a row that was refused before. */
export type ReplayVerdict =
  | { readonly outcome: typeof RepairOutcome.REPAIRED }
  | { readonly outcome: typeof RepairOutcome.SUPERSEDED }
  | {
      readonly outcome: typeof RepairOutcome.STILL_REJECTED;
      /** Upper-case code; need not be the one of the reject. */
      readonly reasonCode: string;
      readonly reasonDetail: string;
    };
