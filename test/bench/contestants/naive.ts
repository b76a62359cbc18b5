/**
 * What one would write first: a table, a transaction for each transition, one run at a time. Insert with an event;
 * claim the oldest by SKIP LOCKED with an event; complete with an event. As durable as Spine, and nothing is grouped.
 */
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { Countdown, rateSince } from '../countdown.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Contestant, Environment, Load, Phases } from '../model.ts';

/** More connections than this made it slower on two cores. */
const CONNECTIONS = 32;
const LOOK_AGAIN_MS = 5;

const SCHEMA = `
CREATE SCHEMA IF NOT EXISTS naive;
CREATE TABLE IF NOT EXISTS naive.runs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  status text NOT NULL DEFAULT 'queued',
  params jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz
);
CREATE INDEX IF NOT EXISTS runs_queued ON naive.runs (created_at) WHERE status = 'queued';
CREATE TABLE IF NOT EXISTS naive.events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id uuid NOT NULL,
  type text NOT NULL,
  timestamp timestamptz NOT NULL DEFAULT now()
);
TRUNCATE naive.runs, naive.events`;

const SUBMIT = {
  name: 'naive_submit',
  text: `WITH r AS (INSERT INTO naive.runs (params) VALUES ('{}') RETURNING id)
INSERT INTO naive.events (run_id, type) SELECT id, 'submitted' FROM r`,
};
const CLAIM = {
  name: 'naive_claim',
  text: `WITH x AS (
  SELECT id FROM naive.runs WHERE status = 'queued' ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
), c AS (
  UPDATE naive.runs r SET status = 'running' FROM x WHERE r.id = x.id RETURNING r.id
), e AS (
  INSERT INTO naive.events (run_id, type) SELECT id, 'started' FROM c
)
SELECT id FROM c`,
};
const COMPLETE = {
  name: 'naive_complete',
  text: `WITH u AS (
  UPDATE naive.runs SET status = 'completed', completed_at = now() WHERE id = $1 AND status = 'running' RETURNING id
)
INSERT INTO naive.events (run_id, type) SELECT id, 'completed' FROM u`,
};

/** Calls `work` until it is told to end, `count` times side by side. */
function sideBySide(count: number, work: () => Promise<boolean>): Promise<void[]> {
  const loop = async (): Promise<void> => {
    while (await work());
  };
  return Promise.all(Array.from({ length: count }, loop));
}

async function submitAll(pool: Pool, { jobs, slots }: Load): Promise<void> {
  let left = jobs;
  await sideBySide(slots, async () => {
    if (left === 0) return false;
    left -= 1;
    await pool.query(SUBMIT);
    return true;
  });
}

/** Works until `done` has counted to its end. */
async function workAll(pool: Pool, slots: number, done: Countdown, isOver: () => boolean): Promise<void> {
  await sideBySide(slots, async () => {
    if (isOver()) return false;
    const { rows } = await pool.query<{ id: string }>(CLAIM);
    const run = rows[0];
    if (run === undefined) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      return true;
    }
    await pool.query({ ...COMPLETE, values: [run.id] });
    done.tick();
    return true;
  });
}

async function assertDone(pool: Pool, jobs: number): Promise<void> {
  const { rows } = await pool.query<{ runs: number; events: number }>(
    `SELECT (SELECT count(*) FROM naive.runs WHERE status = 'completed') AS runs,
       (SELECT count(*) FROM naive.events) AS events`,
  );
  if (rows[0]?.runs !== jobs || rows[0].events !== jobs * 3) {
    throw new VoidMeasurementError(
      `${jobs} naive runs with 3 events each were expected: ${JSON.stringify(rows)}`,
    );
  }
}

async function measure({ databaseUrl }: Environment, { jobs, slots }: Load): Promise<Phases> {
  const pool = createPool({ connectionString: databaseUrl, role: null, max: CONNECTIONS });
  const done = new Countdown();
  const work = (): { readonly finished: Promise<unknown> } => {
    let over = false;
    done.start(jobs);
    void done.reached.then(() => {
      over = true;
    });
    return { finished: workAll(pool, slots, done, () => over) };
  };
  try {
    await pool.query(SCHEMA);
    let from = performance.now();
    await submitAll(pool, { jobs, slots });
    const submit = rateSince(from, jobs);

    from = performance.now();
    const draining = work();
    await done.reached;
    const drain = rateSince(from, jobs);
    await draining.finished;
    await assertDone(pool, jobs);

    await pool.query('TRUNCATE naive.runs, naive.events');
    from = performance.now();
    const working = work();
    await submitAll(pool, { jobs, slots });
    await done.reached;
    const endToEnd = rateSince(from, jobs);
    await working.finished;
    await assertDone(pool, jobs);
    return { submit, drain, endToEnd };
  } finally {
    await pool.end();
  }
}

export const naive: Contestant = { name: 'naive', measure };
