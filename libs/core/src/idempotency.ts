import { assertNever } from './assert-never.ts';

/**
 * What a second run over the same input does to a table, so that an operator knows what a rerun means.
 */
export const IdempotencyLevel = {
  /** Every run appends; whoever reads removes duplicates. Audit logs, event streams, raw answers. */
  L1_APPEND: 'L1_APPEND',
  /** A row whose hash is there already is skipped. Captured source data that has no natural key. */
  L2_INPUT: 'L2_INPUT',
  /** The rows of a logical key are deleted and written anew in one transaction. Aggregates and derived tables. */
  L3_STATE: 'L3_STATE',
} as const;
export type IdempotencyLevel = (typeof IdempotencyLevel)[keyof typeof IdempotencyLevel];

export const IDEMPOTENCY_LEVELS = [
  IdempotencyLevel.L1_APPEND,
  IdempotencyLevel.L2_INPUT,
  IdempotencyLevel.L3_STATE,
] as const;

/** What is in the table after a second run over the same input. */
export type RerunEffect =
  /** Every row twice. */
  | 'duplicates'
  /** What was there; the rows of the first run stay. */
  | 'unchanged'
  /** The same data in new rows, and the rows of the first run are gone. */
  | 'replaced';

export function rerunEffect(level: IdempotencyLevel): RerunEffect {
  switch (level) {
    case IdempotencyLevel.L1_APPEND:
      return 'duplicates';
    case IdempotencyLevel.L2_INPUT:
      return 'unchanged';
    case IdempotencyLevel.L3_STATE:
      return 'replaced';
    default:
      return assertNever(level);
  }
}
