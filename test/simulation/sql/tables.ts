/** What a table of runs shows of itself, real or modelled, so that the two can be compared. */
import type { Operation } from './operations.ts';

/** A run as both sides write it down; times in milliseconds of virtual time. */
export interface ShownRun {
  readonly status: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly crash_count: number;
  readonly started: boolean;
  readonly lease_owner: number | null;
  readonly lease_expires_at: number | null;
  readonly deadline_at: number | null;
  readonly available_at: number;
  readonly dispatch_after: number | null;
  readonly dispatch_no: number;
  readonly finished_epoch: number | null;
  readonly expires_at: number | null;
  readonly run_deadline_at: number | null;
  /** In order, each `type@epoch`, a terminal one with an exclamation mark. */
  readonly events: readonly string[];
  readonly dead_letters: number;
}

/** What an operation answered: lines in an order that does not depend on the database's. */
export type Shown = readonly string[];

export interface Table {
  /** Carries one operation out. */
  apply(operation: Operation): Promise<Shown> | Shown;
  /** Every run, by number. */
  show(): Promise<readonly ShownRun[]> | readonly ShownRun[];
}
