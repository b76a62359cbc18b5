/** What is due, in transactions. */
import type { DueWorkflow } from '@spine/database';
import { ADVANCE_EVENTS } from './conclude.ts';

/** Workflows that are advanced in one transaction. */
const TOGETHER = 250;

/** Groups for a transaction each: so many workflows, and not more events than one of them may have. */
export function together(due: readonly DueWorkflow[]): string[][] {
  const batches: string[][] = [];
  let batch: string[] = [];
  let sum = 0;
  for (const { runId, events } of due) {
    if (batch.length > 0 && (batch.length === TOGETHER || sum + events > ADVANCE_EVENTS)) {
      batches.push(batch);
      [batch, sum] = [[], 0];
    }
    batch.push(runId);
    sum += events;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
