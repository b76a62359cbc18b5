/** What the outside saw, brought into the database beside what the engine stored, so that SQL can compare the two. */
import type { Pool } from '@spine/database';
import type { PlannedRun } from '../load/plan.ts';
import type { PromisedRun } from '../load/generator.ts';
import type { HandlerStart } from '../worker/journal.ts';

export interface Evidence {
  /** Every 2xx answer. */
  readonly promised: readonly PromisedRun[];
  /** Every run that was to be submitted. */
  readonly planned: readonly Pick<PlannedRun, 'key' | 'expected'>[];
  /** Every call of a handler. */
  readonly starts: readonly HandlerStart[];
  /** Whether the fault takes workers from their runs, so that three losses in a row may make any run a dead letter. */
  readonly losesLeases: boolean;
}

const TABLES = `
CREATE SCHEMA IF NOT EXISTS chaos;
DROP TABLE IF EXISTS chaos.promised, chaos.planned, chaos.starts;
CREATE TABLE chaos.promised (key text NOT NULL, run_id uuid NOT NULL);
CREATE TABLE chaos.planned (key text PRIMARY KEY, expected text[], loses_leases boolean NOT NULL);
CREATE TABLE chaos.starts (run_id uuid NOT NULL, epoch bigint NOT NULL, pid integer NOT NULL);
CREATE INDEX ON chaos.promised (key);
CREATE INDEX ON chaos.starts (run_id, epoch)`;

/** Replaces the evidence in the database of `admin`, who owns it. */
export async function recordEvidence(admin: Pool, evidence: Evidence): Promise<void> {
  const { promised, planned, starts, losesLeases } = evidence;
  await admin.query(TABLES);
  await admin.query(
    `INSERT INTO chaos.promised SELECT * FROM jsonb_to_recordset($1) AS t(key text, run_id uuid)`,
    [JSON.stringify(promised.map(({ key, runId }) => ({ key, run_id: runId })))],
  );
  await admin.query(
    `INSERT INTO chaos.planned SELECT key, expected, $2 FROM jsonb_to_recordset($1) AS t(key text, expected text[])`,
    [
      JSON.stringify(
        planned.map(({ key, expected }) => ({ key, expected: expected === 'refused' ? null : expected })),
      ),
      losesLeases,
    ],
  );
  await admin.query(
    `INSERT INTO chaos.starts SELECT * FROM jsonb_to_recordset($1) AS t(run_id uuid, epoch bigint, pid integer)`,
    [JSON.stringify(starts.map(({ runId, epoch, pid }) => ({ run_id: runId, epoch, pid })))],
  );
  await admin.query('ANALYZE chaos.promised, chaos.planned, chaos.starts, runs, run_events');
}
