/** Rejects with a replayer of their own: a row says itself what today's rules make of it. */
import { newId, sha256Hex } from '@spine/core';
import type { ReplayVerdict } from '@spine/core';
import type { DbTransaction, NewReject, Pool, StoredReject } from '@spine/database';
import type { RejectReplayer } from '@spine/execution';
import { sql } from 'kysely';

export const REJECTS_DOMAIN = 'test.rejects';
export const RULES = 'rules-2';

/** Where the replayer stores what passes; nothing in it refuses a row that is stored twice. */
export async function createReplayedTable(owner: Pool): Promise<void> {
  await owner.query(
    `CREATE TABLE replayed (reject_id bigint NOT NULL, run_id uuid NOT NULL);
     GRANT SELECT, INSERT ON replayed TO spine_app`,
  );
}

/** Called with the number of the page, from 1, before a page is judged and again when its rows are stored. */
export type PageHook = (page: number, when: 'before' | 'after', trx: DbTransaction) => void | Promise<void>;

export interface TestReplayer extends RejectReplayer {
  /** The ids of every page it was given, also of pages that were rolled back. */
  readonly pages: readonly (readonly string[])[];
}

/** @param stage its own in each test, so that tests do not see each other's rejects. */
export function testReplayer(stage: string, hook: PageHook = () => undefined): TestReplayer {
  const pages: (readonly string[])[] = [];
  return {
    pages,
    domain: REJECTS_DOMAIN,
    stage,
    ruleVersion: RULES,
    replay: async (trx, rejects, { runId }) => {
      pages.push(rejects.map(({ rejectId }) => rejectId));
      const page = pages.length;
      await hook(page, 'before', trx);
      const passing = rejects.filter(({ raw }) => raw.startsWith('good'));
      for (const { rejectId } of passing) {
        await sql`INSERT INTO replayed (reject_id, run_id) VALUES (${rejectId}, ${runId})`.execute(trx);
      }
      await hook(page, 'after', trx);
      return rejects.map(verdictOf);
    },
  };
}

function verdictOf({ raw }: StoredReject): ReplayVerdict {
  if (raw.startsWith('good')) return { outcome: 'repaired' };
  if (raw.startsWith('known')) return { outcome: 'superseded' };
  return { outcome: 'still_rejected', reasonCode: 'STILL_BAD', reasonDetail: `${raw} is bad` };
}

export const SOURCE_HASH = sha256Hex('source');

/** A reject by the rules before, for each raw row. */
export function rejectsOf(
  stage: string,
  raws: readonly string[],
  more: Partial<NewReject> = {},
): NewReject[] {
  const runId = newId();
  return raws.map((raw, index) => ({
    domain: REJECTS_DOMAIN,
    partitionKey: { no: 1 },
    stage,
    reasonCode: 'BAD_ROW',
    reasonDetail: 'refused by the rules before',
    raw,
    sourceLocator: 'file.csv',
    lineNumber: index + 1,
    recordHash: sha256Hex(raw),
    runId,
    batchId: null,
    ruleVersion: 'rules-1',
    sourceHash: SOURCE_HASH,
    ...more,
  }));
}

/** Raw rows that pass now. */
export function goodRows(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `good ${index}`);
}

/** How often each reject of a stage is closed, and how often its row was stored. */
export interface StageState {
  readonly rejects: number;
  readonly closed: number;
  /** Rejects with more than one repair that closes, or a row stored more or less often than they are repaired. */
  readonly wrong: number;
}

export async function stateOf(owner: Pool, stage: string): Promise<StageState> {
  const { rows } = await owner.query<StageState>(
    `SELECT count(*)::int AS rejects, count(r.closed_at)::int AS closed,
       (count(*) FILTER (WHERE s.ends > 1 OR (r.closed_at IS NOT NULL) <> (s.ends = 1) OR s.repaired <> s.stored))::int
         AS wrong
     FROM rejects r CROSS JOIN LATERAL (
       SELECT (SELECT count(*) FROM reject_repairs p WHERE p.reject_id = r.reject_id AND p.outcome <> 'still_rejected')
           AS ends,
         (SELECT count(*) FROM reject_repairs p WHERE p.reject_id = r.reject_id AND p.outcome = 'repaired') AS repaired,
         (SELECT count(*) FROM replayed d WHERE d.reject_id = r.reject_id) AS stored
     ) s WHERE r.stage = $1`,
    [stage],
  );
  const [state] = rows;
  if (state === undefined) throw new Error('counting answered nothing');
  return state;
}
