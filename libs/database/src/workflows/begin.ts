/**
 * Workflows that begin and are advanced for the first time in the transaction that takes their runs from their attempts.
 *
 * 1. A run is taken first, under its fence, and everything else is of those alone that were taken. The lock of its row is held
 * until the commit: what ends the run waits for that, and finds its workflow and what it has started. 2. A workflow begins
 * once, by its primary key. One that was handed over before is not taken here: it goes on where it was. 3. After a COMMIT
 * without an answer a repeat takes nothing: the epoch was raised.
 */
import type { RunStatus } from '@spine/core';
import { HAND_OVER_SET, handedOverCtes } from '../runs/hand-over.ts';
import { jsonArray, plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';
import { clearUpWorkflows, heldRunFacts } from './advance.ts';
import type { Advance, LockedWorkflow } from './advance.ts';
import type { BeginningRun } from './hand-over.ts';

/** `known`: it was handed over before, and takes a look at it; nothing has happened to it. */
export type BeginOutcome = 'handed_over' | 'fenced' | 'known';

/** A run that the transaction has taken from its attempt. */
export interface TakenRun {
  readonly beginning: BeginningRun;
  readonly locked: LockedWorkflow;
  /** JSON object that adds to its first event; null for a run that nobody has given anything. */
  readonly inherited: unknown;
}

export interface TakenRuns {
  /** For each that was asked for, in order. */
  readonly outcomes: readonly BeginOutcome[];
  readonly taken: readonly TakenRun[];
}

interface TakenRow {
  id: string;
  known: boolean;
  /** Null for one that was not taken, as is what follows. */
  epoch: number | null;
  lane: string;
  priority: number;
  correlation_id: string | null;
  parent_run_id: string | null;
  dead_letter: boolean;
  namespace: string | null;
  trace_context: string | null;
  inherited: unknown;
  now: Date;
}

/** What this very attempt has handed over is at a later epoch: then it has lost its run, and nothing is left to be looked at. */
export const TAKE_BEGINNINGS_SQL = `WITH i AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS t(id, epoch)
), k AS (
  SELECT i.id FROM i JOIN workflow_runs w ON w.run_id = i.id WHERE w.epoch <= i.epoch
), u AS (
  UPDATE runs r SET ${HAND_OVER_SET}
  FROM i WHERE r.id = i.id AND r.epoch = i.epoch AND r.status || '' = 'running' AND i.id NOT IN (SELECT id FROM k)
  RETURNING r.id, r.epoch, r.lane, r.priority, r.correlation_id, r.parent_run_id, r.dead_letter, r.namespace, r.trace_context
), ${handedOverCtes('$3')}
SELECT i.id, k.id IS NOT NULL AS known, u.epoch, u.lane, u.priority, u.correlation_id, u.parent_run_id, u.dead_letter,
  u.namespace, u.trace_context, s.inherited, now() AS now
FROM i LEFT JOIN u ON u.id = i.id LEFT JOIN k ON k.id = i.id LEFT JOIN workflow_starts s ON s.run_id = u.id`;

/** Takes runs from their attempts. @param source written as the source of the event `handed_over`. */
export async function takeBeginnings(
  trx: DbTransaction,
  runs: readonly BeginningRun[],
  source: string,
): Promise<TakenRuns> {
  const { rows } = await asQueryable(trx).query<TakenRow>({
    text: TAKE_BEGINNINGS_SQL,
    values: [plainArray(runs.map(({ runId }) => runId)), plainArray(runs.map(({ epoch }) => epoch)), source],
  });
  const answers = new Map(rows.map((row) => [row.id, row]));
  const taken: TakenRun[] = [];
  const outcomes = runs.map((beginning): BeginOutcome => {
    const row = answers.get(beginning.runId);
    if (row === undefined || row.epoch === null) return row?.known === true ? 'known' : 'fenced';
    taken.push({ beginning, locked: lockedBy(beginning, row, row.epoch), inherited: row.inherited });
    return 'handed_over';
  });
  return { outcomes, taken };
}

const HELD: RunStatus = 'running';

/** As the first advance would have found it. */
function lockedBy({ runId, name, version }: BeginningRun, row: TakenRow, epoch: number): LockedWorkflow {
  return {
    runId,
    name,
    version,
    epoch,
    partitionKey: null,
    head: null,
    seq: 0,
    run: { status: HELD, epoch, ...heldRunFacts(row) },
    now: row.now,
  };
}

const SAVE_SQL = `WITH h AS (
  INSERT INTO workflow_history (run_id, event_no, event, timestamp)
  SELECT t.run_id, t.no, t.event::jsonb, $8::timestamptz
  FROM unnest($9::uuid[], $10::bigint[], $11::text[]) AS t(run_id, no, event)
)
INSERT INTO workflow_runs (run_id, name, version, epoch, head, seq, status, ended_at)
SELECT t.run_id, t.name, t.version, t.epoch, t.head::jsonb, t.seq, CASE WHEN t.ended THEN 'ended' ELSE 'active' END,
  CASE WHEN t.ended THEN now() END
FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::bigint[], $7::boolean[])
  AS t(run_id, name, version, epoch, head, seq, ended)`;

/**
 * Begins workflows with what their first advance has led to; what was told stood in no inbox.
 * @throws the driver's unique violation for one that has begun before; nothing may be committed then.
 */
export async function saveBeginnings(trx: DbTransaction, advances: readonly Advance[]): Promise<void> {
  const [first] = advances;
  if (first === undefined) return;
  const history = advances.flatMap(({ locked: { runId }, events }) =>
    events.map((event, index) => ({ runId, no: index + 1, event })),
  );
  await asQueryable(trx).query({
    text: SAVE_SQL,
    values: [
      plainArray(advances.map(({ locked }) => locked.runId)),
      textArray(advances.map(({ locked }) => locked.name)),
      plainArray(advances.map(({ locked }) => locked.version)),
      plainArray(advances.map(({ locked }) => locked.epoch)),
      jsonArray(advances.map(({ head }) => head)),
      plainArray(advances.map(({ events }) => events.length)),
      plainArray(advances.map(({ ended }) => ended)),
      first.locked.now.toISOString(),
      plainArray(history.map(({ runId }) => runId)),
      plainArray(history.map(({ no }) => no)),
      jsonArray(history.map(({ event }) => event)),
    ],
  });
  await clearUpWorkflows(
    trx,
    advances.flatMap(({ locked, ended }) => (ended ? [locked.runId] : [])),
  );
}

/** Begins workflows that are to be told later that they have started. */
export async function leaveBeginnings(
  trx: DbTransaction,
  workflows: readonly { readonly locked: LockedWorkflow; readonly started: unknown }[],
): Promise<void> {
  if (workflows.length === 0) return;
  await asQueryable(trx).query({
    text: `WITH i AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::text[]) AS t(id, name, version, epoch, started)
), w AS (
  INSERT INTO workflow_runs (run_id, name, version, epoch) SELECT id, name, version, epoch FROM i
)
INSERT INTO workflow_inbox (workflow_run_id, event) SELECT id, started::jsonb FROM i`,
    values: [
      plainArray(workflows.map(({ locked }) => locked.runId)),
      textArray(workflows.map(({ locked }) => locked.name)),
      plainArray(workflows.map(({ locked }) => locked.version)),
      plainArray(workflows.map(({ locked }) => locked.epoch)),
      jsonArray(workflows.map(({ started }) => started)),
    ],
  });
}
