/**
 * Playground sessions as rows. What their JSON means is `@spine/orchestration`'s.
 *
 * 1. A session is written at the revision it was read at, or not at all: of two at once one wins. 2. What has expired is not
 * there, for anybody, whether it has been swept or not; the database's clock says what has. 3. There are never more than
 * the limits allow: making one is serialised, and sweeps first. 4. Every write puts the expiry off.
 */
import { sql } from 'kysely';
import { newId } from '@spine/core';
import { asQueryable } from '../sql/kysely.ts';
import type { Db } from '../sql/kysely.ts';

export const PLAYGROUND_MODES = ['stub', 'recorded', 'live'] as const;
export type PlaygroundMode = (typeof PLAYGROUND_MODES)[number];

/** `running`, or how the run that is gone through has ended. */
export const PLAYGROUND_STATUSES = [
  'running',
  'completed',
  'failed',
  'timed_out',
  'cancelled',
  'continued',
] as const;
export type PlaygroundStatus = (typeof PLAYGROUND_STATUSES)[number];

/** What changes with every move. */
export interface PlaygroundProgress {
  /** JSON texts; they are read back exactly as they are. */
  readonly answers: string;
  readonly moves: string;
  readonly stateHash: string;
  readonly status: PlaygroundStatus;
  /** Steps forth, without those taken back. */
  readonly stepCount: number;
}

export interface NewPlaygroundSession extends PlaygroundProgress {
  readonly createdBy: string;
  readonly workflowName: string;
  /** Null for a definition that is nobody's version. */
  readonly workflowVersion: number | null;
  readonly mode: PlaygroundMode;
  /** Of mode `recorded`, else null. */
  readonly sourceRunId: string | null;
  /** JSON text that never changes. */
  readonly setup: string;
  /** Without a move. */
  readonly ttlSeconds: number;
}

/** A session without what it is rebuilt from. */
export interface PlaygroundSummary {
  readonly sessionId: string;
  readonly createdBy: string;
  readonly workflowName: string;
  readonly workflowVersion: number | null;
  readonly mode: PlaygroundMode;
  readonly sourceRunId: string | null;
  readonly status: PlaygroundStatus;
  readonly stepCount: number;
  /** From 1; grows with every write. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly expiresAt: Date;
}

export interface PlaygroundSession extends PlaygroundSummary {
  readonly setup: unknown;
  readonly answers: unknown;
  readonly moves: unknown;
  readonly stateHash: string;
}

export interface PlaygroundQuota {
  readonly perCaller: number;
  readonly total: number;
}

export type PlaygroundCreation =
  | { readonly type: 'created'; readonly session: PlaygroundSummary }
  /** The caller, or everybody together, has as many as may be. */
  | { readonly type: 'over_quota'; readonly of: 'caller' | 'all'; readonly quota: number };

export type PlaygroundSave =
  | { readonly type: 'saved'; readonly session: PlaygroundSummary }
  /** Another has changed it since it was read. */
  | { readonly type: 'stale'; readonly revision: number }
  | { readonly type: 'not_found' };

/** Serialises those who would make one more: two at once must not both find the last place free. */
const QUOTA_LOCK = 'spine.playground.sessions';

const SUMMARY = [
  'session_id',
  'created_by',
  'workflow_name',
  'workflow_version',
  'mode',
  'source_run_id',
  'status',
  'step_count',
  'revision',
  'created_at',
  'updated_at',
  'expires_at',
] as const;

interface SummaryRow {
  readonly session_id: string;
  readonly created_by: string;
  readonly workflow_name: string;
  readonly workflow_version: number | null;
  readonly mode: PlaygroundMode;
  readonly source_run_id: string | null;
  readonly status: PlaygroundStatus;
  readonly step_count: number;
  readonly revision: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly expires_at: Date;
}

const NOT_EXPIRED = sql<boolean>`expires_at > now()`;

/** Removes what has expired, and makes a session where there is room. */
export function createPlaygroundSession(
  db: Db,
  session: NewPlaygroundSession,
  { perCaller, total }: PlaygroundQuota,
): Promise<PlaygroundCreation> {
  return db.transaction().execute(async (trx): Promise<PlaygroundCreation> => {
    const on = asQueryable(trx);
    await on.query({ text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', values: [QUOTA_LOCK] });
    await on.query({ text: 'DELETE FROM playground_sessions WHERE expires_at <= now()', values: [] });
    const { rows } = await on.query<{ all: number; own: number }>({
      text: `SELECT count(*)::integer AS all, count(*) FILTER (WHERE created_by = $1)::integer AS own
FROM playground_sessions`,
      values: [session.createdBy],
    });
    const taken = rows[0] ?? { all: 0, own: 0 };
    if (taken.own >= perCaller) return { type: 'over_quota', of: 'caller', quota: perCaller };
    if (taken.all >= total) return { type: 'over_quota', of: 'all', quota: total };
    const row = await trx
      .insertInto('playground_sessions')
      .values({
        ...progressColumns(session),
        session_id: newId(),
        created_by: session.createdBy,
        workflow_name: session.workflowName,
        workflow_version: session.workflowVersion,
        mode: session.mode,
        source_run_id: session.sourceRunId,
        setup: session.setup,
        ttl_seconds: session.ttlSeconds,
        expires_at: sql<Date>`now() + make_interval(secs => ${session.ttlSeconds})`,
      })
      .returning(SUMMARY)
      .executeTakeFirstOrThrow();
    return { type: 'created', session: toSummary(row) };
  });
}

/** Null for none, and for one that has expired. */
export async function getPlaygroundSession(db: Db, sessionId: string): Promise<PlaygroundSession | null> {
  const row = await db
    .selectFrom('playground_sessions')
    .selectAll()
    .where('session_id', '=', sessionId)
    .where(NOT_EXPIRED)
    .executeTakeFirst();
  if (row === undefined) return null;
  const { setup, answers, moves, state_hash: stateHash } = row;
  return { ...toSummary(row), setup, answers, moves, stateHash };
}

/** Writes what has become of a session, at the revision it was read at. */
export async function savePlaygroundSession(
  db: Db,
  sessionId: string,
  revision: number,
  progress: PlaygroundProgress,
): Promise<PlaygroundSave> {
  const row = await db
    .updateTable('playground_sessions')
    .set({
      ...progressColumns(progress),
      revision: sql<number>`revision + 1`,
      updated_at: sql<Date>`now()`,
      expires_at: sql<Date>`now() + make_interval(secs => ttl_seconds)`,
    })
    .where('session_id', '=', sessionId)
    .where('revision', '=', revision)
    .where(NOT_EXPIRED)
    .returning(SUMMARY)
    .executeTakeFirst();
  if (row !== undefined) return { type: 'saved', session: toSummary(row) };
  const there = await db
    .selectFrom('playground_sessions')
    .select('revision')
    .where('session_id', '=', sessionId)
    .where(NOT_EXPIRED)
    .executeTakeFirst();
  return there === undefined ? { type: 'not_found' } : { type: 'stale', revision: there.revision };
}

/** The session as it was; null for none. */
export async function deletePlaygroundSession(db: Db, sessionId: string): Promise<PlaygroundSummary | null> {
  const row = await db
    .deleteFrom('playground_sessions')
    .where('session_id', '=', sessionId)
    .where(NOT_EXPIRED)
    .returning(SUMMARY)
    .executeTakeFirst();
  return row === undefined ? null : toSummary(row);
}

export interface PlaygroundPage {
  readonly items: readonly PlaygroundSummary[];
  readonly total: number;
  readonly hasMore: boolean;
}

/**
 * Sessions, newest first.
 * @param page.before the last one that was seen; null from the beginning.
 */
export async function listPlaygroundSessions(
  db: Db,
  filter: { readonly createdBy?: string | undefined; readonly workflow?: string | undefined },
  page: { readonly before: string | null; readonly limit: number; readonly offset: number },
): Promise<PlaygroundPage> {
  let matching = db.selectFrom('playground_sessions').where(NOT_EXPIRED);
  if (filter.createdBy !== undefined) matching = matching.where('created_by', '=', filter.createdBy);
  if (filter.workflow !== undefined) matching = matching.where('workflow_name', '=', filter.workflow);
  const after = page.before === null ? matching : matching.where('session_id', '<', page.before);
  const rows = await after
    .select(SUMMARY)
    .orderBy('session_id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset)
    .execute();
  const { total } = await matching
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  return { items: rows.slice(0, page.limit).map(toSummary), total, hasMore: rows.length > page.limit };
}

function progressColumns({ answers, moves, stateHash, status, stepCount }: PlaygroundProgress) {
  return { answers, moves, state_hash: stateHash, status, step_count: stepCount };
}

function toSummary(row: SummaryRow): PlaygroundSummary {
  return {
    sessionId: row.session_id,
    createdBy: row.created_by,
    workflowName: row.workflow_name,
    workflowVersion: row.workflow_version,
    mode: row.mode,
    sourceRunId: row.source_run_id,
    status: row.status,
    stepCount: row.step_count,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at,
  };
}
