/**
 * What must hold after any fault, as SQL that answers with the rows that break it. The schema `chaos` holds what was
 * seen from outside: see evidence.ts. Events of one run are ordered by their ids: each is written under the lock of
 * its run.
 */
import { TERMINAL_STATUSES } from '@spine/core';
import { CRASH_LIMIT } from '@spine/database';
import type { Pool } from '@spine/database';

export const INVARIANT_NAMES = [
  'answered-submit-has-its-row',
  'one-key-one-run',
  'every-submit-is-answered',
  'everything-is-terminal',
  'one-terminal-event',
  'nothing-after-the-end',
  'no-stale-write',
  'settled-at-its-epoch',
  'epoch-claimed-once',
  'handler-started-once-an-epoch',
  'handler-start-was-claimed',
  'dead-letters-exactly',
  'within-budget',
  'submitted-once',
  'ended-as-expected',
] as const;
export type InvariantName = (typeof INVARIANT_NAMES)[number];

export interface Violation {
  readonly invariant: InvariantName;
  /** All of them; `rows` holds the first ones. */
  readonly count: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const TERMINAL = TERMINAL_STATUSES.map((status) => `'${status}'`).join(', ');

/** Events after which the epoch they name may write nothing more. */
const ENDINGS = `${TERMINAL}, 'retry_scheduled', 'handed_back', 'lease_expired'`;

/** Every invariant with the statement that finds what breaks it. */
export const INVARIANTS: Readonly<Record<InvariantName, string>> = {
  'answered-submit-has-its-row': `
    SELECT p.key, p.run_id FROM chaos.promised p
    WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = p.run_id AND r.idempotency_key = p.key)`,

  'one-key-one-run': `
    SELECT key, array_agg(DISTINCT run_id) AS run_ids FROM chaos.promised GROUP BY key HAVING count(DISTINCT run_id) > 1`,

  'every-submit-is-answered': `
    SELECT key FROM chaos.planned p
    WHERE expected IS NOT NULL AND NOT EXISTS (SELECT 1 FROM chaos.promised a WHERE a.key = p.key)`,

  'everything-is-terminal': `
    SELECT id, name, lane, priority, params, status, epoch, attempt, crash_count, created_at, available_at, started_at,
      dispatch_no, dispatch_after, lease_owner, lease_expires_at, deadline_at, now() AS now
    FROM runs WHERE status NOT IN (${TERMINAL})`,

  'one-terminal-event': `
    SELECT r.id, r.status, array_agg(e.event_type) AS terminal_events
    FROM runs r LEFT JOIN run_events e ON e.run_id = r.id AND e.terminal
    GROUP BY r.id HAVING CASE WHEN r.status IN (${TERMINAL})
      THEN count(e.run_id) <> 1 OR min(e.event_type) <> r.status ELSE count(e.run_id) > 0 END`,

  'nothing-after-the-end': `
    SELECT e.run_id, e.event_type, e.epoch, e.source, t.event_type AS ended_by
    FROM run_events t JOIN run_events e ON e.run_id = t.run_id AND e.event_id > t.event_id WHERE t.terminal`,

  'no-stale-write': `
    SELECT e.run_id, e.event_type, e.epoch, e.source, p.event_type AS after_event, p.epoch AS after_epoch
    FROM run_events e CROSS JOIN LATERAL (
      SELECT event_type, epoch FROM run_events p WHERE p.run_id = e.run_id AND p.event_id < e.event_id
        AND (p.epoch > e.epoch OR p.epoch = e.epoch AND p.event_type IN (${ENDINGS})) LIMIT 1
    ) p WHERE e.source LIKE 'worker:%'`,

  'settled-at-its-epoch': `
    SELECT r.id, r.status, r.epoch, r.finished_epoch, t.epoch AS event_epoch, t.source
    FROM runs r JOIN run_events t ON t.run_id = r.id AND t.terminal
    WHERE t.epoch <> r.epoch OR t.source LIKE 'worker:%' AND r.finished_epoch IS DISTINCT FROM t.epoch`,

  'epoch-claimed-once': `
    SELECT run_id, epoch, count(*)::int AS claims, array_agg(source) AS sources
    FROM run_events WHERE event_type = 'started' GROUP BY run_id, epoch HAVING count(*) > 1`,

  'handler-started-once-an-epoch': `
    SELECT run_id, epoch, count(*)::int AS starts, array_agg(pid) AS pids
    FROM chaos.starts GROUP BY run_id, epoch HAVING count(*) > 1`,

  'handler-start-was-claimed': `
    SELECT s.run_id, s.epoch, s.pid FROM chaos.starts s WHERE NOT EXISTS (SELECT 1 FROM run_events e
      WHERE e.run_id = s.run_id AND e.epoch = s.epoch AND e.event_type = 'started')`,

  'dead-letters-exactly': `
    SELECT COALESCE(r.id, d.run_id) AS run_id, r.status, d.id AS dead_letter FROM runs r
    FULL JOIN dead_letters d ON d.run_id = r.id
    WHERE (r.status IS NOT DISTINCT FROM 'dead_lettered') <> (d.id IS NOT NULL)`,

  'within-budget': `
    SELECT r.id, r.status, r.attempt, r.max_attempts, r.crash_count, c.claims FROM runs r CROSS JOIN LATERAL (
      SELECT count(*) AS claims FROM run_events e WHERE e.run_id = r.id AND e.event_type = 'started'
    ) c WHERE r.attempt > r.max_attempts OR r.crash_count > ${CRASH_LIMIT} OR r.attempt > c.claims`,

  'submitted-once': `
    SELECT r.id, count(e.run_id)::int AS submitted FROM runs r
    LEFT JOIN run_events e ON e.run_id = r.id AND e.event_type = 'submitted' GROUP BY r.id HAVING count(e.run_id) <> 1`,

  'ended-as-expected': `
    SELECT r.idempotency_key AS key, r.id, r.name, r.status, p.expected, r.attempt, r.crash_count, r.error
    FROM runs r JOIN chaos.planned p ON p.key = r.idempotency_key
    WHERE r.status IN (${TERMINAL}) AND (p.expected IS NULL OR r.status <> ALL (p.expected))
      AND NOT (p.loses_leases AND r.status = 'dead_lettered' AND r.crash_count >= ${CRASH_LIMIT})`,
};

const ROWS_SHOWN = 5;

/** Checks every invariant; empty when all hold. */
export async function findViolations(admin: Pool): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const invariant of INVARIANT_NAMES) {
    const { rows } = await admin.query<Record<string, unknown>>(INVARIANTS[invariant]);
    if (rows.length > 0) found.push({ invariant, count: rows.length, rows: rows.slice(0, ROWS_SHOWN) });
  }
  return found;
}

/** Runs that have not ended, for whoever waits for them. */
export async function countUnfinished(admin: Pool): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM runs WHERE status NOT IN (${TERMINAL})`,
  );
  return rows[0]?.n ?? 0;
}
