/**
 * What must hold of workflows after any fault, beside what must hold of all runs: SQL that answers with the rows that break
 * it. The schema `chaos` holds the marks of the steps, and what each run answers when nothing breaks.
 */
import type { Pool } from '@spine/database';
import { SEVEN_STEPS, UNITS } from './definition.ts';

/**
 * An attempt that something was killed under: three lost workers in a row, or a statement of the handler while Postgres was away.
 * What the driver throws then is a plain error, which counts as UNKNOWN.
 */
const FAILED_BY_THE_STORM = `r.status = 'failed' AND (r.error->>'retryable')::boolean
  AND (r.error->>'category' IN ('UNKNOWN', 'DATABASE', 'NETWORK') OR r.error->>'type' = 'LeaseExpiredError')`;

export const WORKFLOW_INVARIANTS = {
  'result-as-without-faults': `
    SELECT e.key, r.id, r.status, r.result, r.error FROM chaos.expected e LEFT JOIN runs r ON r.idempotency_key = e.key
    WHERE r.status IS DISTINCT FROM 'completed' OR r.result IS DISTINCT FROM e.result`,

  'every-unit-ran': `
    SELECT w.run_id, w.name, count(DISTINCT s.unit)::int AS units FROM workflow_runs w
    LEFT JOIN workflow_steps s ON s.workflow_run_id = w.run_id GROUP BY w.run_id, w.name
    HAVING count(DISTINCT s.unit) <> ($1::jsonb->>w.name)::int`,

  'one-attempt-of-a-unit-settled-it': `
    SELECT s.workflow_run_id, s.unit, array_agg(r.status ORDER BY s.attempt) AS attempts
    FROM workflow_steps s JOIN runs r ON r.id = s.run_id GROUP BY s.workflow_run_id, s.unit
    HAVING (array_agg(r.status ORDER BY s.attempt DESC))[1] <> 'completed'
      OR count(*) FILTER (WHERE ${FAILED_BY_THE_STORM}) <> count(*) - 1`,

  'told-of-each-end-once': `
    SELECT s.workflow_run_id, s.unit, s.attempt, count(h.run_id)::int AS told FROM workflow_steps s
    LEFT JOIN workflow_history h ON h.run_id = s.workflow_run_id
      AND h.event->>'type' IN ('step_settled', 'map_item_settled', 'child_settled')
      AND COALESCE(h.event->>'unit', (h.event->>'step') || '[' || (h.event->>'index') || ']') = s.unit
      AND (h.event->>'attempt')::int = s.attempt
    GROUP BY s.workflow_run_id, s.unit, s.attempt HAVING count(h.run_id) <> 1`,

  'history-has-no-gap': `
    SELECT w.run_id, w.seq, count(h.run_id)::int AS events, max(h.event_no) AS last FROM workflow_runs w
    LEFT JOIN workflow_history h ON h.run_id = w.run_id GROUP BY w.run_id
    HAVING count(h.run_id) <> w.seq OR max(h.event_no) <> w.seq`,

  'ended-with-its-run': `
    SELECT r.id, r.status, w.status AS workflow FROM runs r LEFT JOIN workflow_runs w ON w.run_id = r.id
    WHERE r.kind = 'workflow' AND w.status IS DISTINCT FROM 'ended'`,

  'nothing-left-to-be-told': `SELECT workflow_run_id, event_seq, event, ended_run_id, due_at FROM workflow_inbox`,

  'one-mark-of-the-attempt-that-settled': `
    SELECT r.id, r.name, r.finished_epoch, array_agg(m.epoch) AS marks FROM runs r LEFT JOIN chaos.marks m ON m.run_id = r.id
    WHERE r.kind = 'step' AND r.status = 'completed' AND r.name <> 'lambda.chaos.spread' GROUP BY r.id
    HAVING count(*) FILTER (WHERE m.epoch = r.finished_epoch) <> 1`,

  'no-mark-of-an-attempt-without-its-run': `
    SELECT m.run_id, m.epoch, m.mark, r.status, r.finished_epoch FROM chaos.marks m LEFT JOIN runs r ON r.id = m.run_id
    WHERE r.id IS NULL OR m.epoch > r.finished_epoch
      OR m.mark = 'published' AND (r.status <> 'completed' OR m.epoch <> r.finished_epoch)
      OR (SELECT count(*) FROM chaos.marks o WHERE o.run_id = m.run_id AND o.epoch = m.epoch) > 1`,
} as const satisfies Record<string, string>;

export type WorkflowInvariant = keyof typeof WORKFLOW_INVARIANTS;
export const WORKFLOW_INVARIANT_NAMES = Object.keys(WORKFLOW_INVARIANTS) as readonly WorkflowInvariant[];

export interface WorkflowViolation {
  readonly invariant: WorkflowInvariant;
  /** All of them; `rows` holds the first ones. */
  readonly count: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const ROWS_SHOWN = 5;

/** Before the first worker starts: where steps leave their marks. */
export async function createMarks(admin: Pool): Promise<void> {
  await admin.query(`CREATE SCHEMA IF NOT EXISTS chaos;
    CREATE TABLE chaos.marks (run_id uuid NOT NULL, epoch bigint NOT NULL, mark text NOT NULL);
    CREATE INDEX ON chaos.marks (run_id);
    CREATE TABLE chaos.expected (key text PRIMARY KEY, result jsonb NOT NULL);
    GRANT USAGE ON SCHEMA chaos TO spine_app; GRANT INSERT ON chaos.marks TO spine_app`);
}

/** What runs answer when nothing breaks, by their idempotency keys. */
export async function recordExpected(admin: Pool, results: ReadonlyMap<string, unknown>): Promise<void> {
  await admin.query(
    `INSERT INTO chaos.expected SELECT key, result FROM jsonb_to_recordset($1) AS t(key text, result jsonb)`,
    [JSON.stringify([...results].map(([key, result]) => ({ key, result })))],
  );
}

/** Checks every invariant; empty when all hold. */
export async function findWorkflowViolations(admin: Pool): Promise<WorkflowViolation[]> {
  const found: WorkflowViolation[] = [];
  for (const invariant of WORKFLOW_INVARIANT_NAMES) {
    const text = WORKFLOW_INVARIANTS[invariant];
    const values = text.includes('$1') ? [JSON.stringify(UNITS)] : [];
    const { rows } = await admin.query<Record<string, unknown>>(text, values);
    if (rows.length > 0) found.push({ invariant, count: rows.length, rows: rows.slice(0, ROWS_SHOWN) });
  }
  return found;
}

/** With what attempts have failed that a step's policy made again. */
export const FAILED_ATTEMPTS_SQL = `SELECT concat_ws(' ', r.error->>'category', r.error->>'type') || ': ' || left(r.error->>'message', 60) AS what,
    count(*)::int AS n
  FROM workflow_steps s JOIN runs r ON r.id = s.run_id WHERE r.status = 'failed' GROUP BY 1 ORDER BY 1`;

/** Runs of the whole, for the report. */
export const COUNTS_SQL = `SELECT
  (SELECT count(*)::int FROM runs WHERE kind = 'workflow' AND name = '${SEVEN_STEPS}') AS workflows,
  (SELECT count(*)::int FROM runs WHERE kind = 'workflow' AND name <> '${SEVEN_STEPS}') AS children,
  (SELECT count(*)::int FROM runs WHERE kind = 'step') AS steps,
  (SELECT count(*)::int FROM runs WHERE status = 'completed') AS completed,
  (SELECT count(*)::int FROM workflow_steps WHERE attempt > 1) AS retried,
  (SELECT count(*)::int FROM run_events WHERE event_type = 'lease_expired' OR terminal AND source = 'reaper') AS leases_lost,
  (SELECT count(*)::int FROM workflow_history) AS events,
  (SELECT count(*)::int FROM chaos.marks) AS marks`;
