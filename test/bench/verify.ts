import type { Engine } from '@spine/execution';

/** Counts rows after a measured phase: without this a benchmark measures nothing. */
export async function assertAllCompleted(engine: Engine, runs: number): Promise<void> {
  const { rows } = await engine.pool.query<{
    status: string;
    runs: number;
    events: number;
    terminal: number;
  }>(`
    SELECT r.status, count(DISTINCT r.id)::int AS runs, count(e.event_id)::int AS events,
      count(*) FILTER (WHERE e.terminal)::int AS terminal
    FROM runs r JOIN run_events e ON e.run_id = r.id GROUP BY r.status`);
  const row = rows[0];
  if (rows.length !== 1 || row === undefined || row.status !== 'completed') {
    throw new Error(`void: runs by status are ${JSON.stringify(rows)}`);
  }
  if (row.runs !== runs || row.events !== runs * 3 || row.terminal !== runs) {
    throw new Error(`void: expected ${runs} runs with 3 events each, one terminal: ${JSON.stringify(row)}`);
  }
}
