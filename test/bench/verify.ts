/** Counting rows after a measured phase: without this a benchmark measures nothing. */
import type { Pool } from '@spine/database';
import { VoidMeasurementError } from './model.ts';

interface CountRow {
  readonly status: string;
  readonly runs: number;
  readonly events: number;
  readonly terminal: number;
}

/**
 * Every run submitted since `since` is completed and has its three events, one of them terminal.
 *
 * @param since a run id: runs with smaller ones are of an earlier phase.
 * @throws VoidMeasurementError otherwise.
 */
export async function assertAllCompleted(pool: Pool, since: string, runs: number): Promise<void> {
  const { rows } = await pool.query<CountRow>(
    `SELECT r.status, count(DISTINCT r.id) AS runs, count(e.event_id) AS events,
       count(*) FILTER (WHERE e.terminal) AS terminal
     FROM runs r JOIN run_events e ON e.run_id = r.id WHERE r.id >= $1::uuid GROUP BY r.status`,
    [since],
  );
  const [row, ...others] = rows;
  const complete =
    row !== undefined &&
    others.length === 0 &&
    row.status === 'completed' &&
    row.runs === runs &&
    row.events === runs * 3 &&
    row.terminal === runs;
  if (!complete) {
    throw new VoidMeasurementError(
      `${runs} runs should be completed with 3 events each, one of them terminal; there are ${JSON.stringify(rows)}`,
    );
  }
}

/** Resolves when no run waits or runs any more. */
export async function untilAllSettled(pool: Pool): Promise<void> {
  for (;;) {
    // Two counts, because one over all states would read the whole table instead of the partial indexes.
    const { rows } = await pool.query<{ left: number }>(
      `SELECT (SELECT count(*) FROM runs WHERE status IN ('pending', 'queued')) +
         (SELECT count(*) FROM runs WHERE status = 'running') AS left`,
    );
    if (rows[0]?.left === 0) return;
  }
}
