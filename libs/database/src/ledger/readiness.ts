/**
 * Whether partitions may be used, judged from the ledger and kept.
 *
 * 1. A verdict is judged from one snapshot: no two facts of different moments make a partition ready.
 * 2. What is kept is the last verdict, with its reasons; a partition that ceases to be ready is revoked by the next
 *    evaluation, and keeps when that was.
 * 3. Whoever must not use what is not ready asks {@link requireReady}, which judges anew: it never trusts what is kept.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import { notExpected, OperationError, readinessVerdict, ValidationError } from '@spine/core';
import type { BlockingReason, ReadinessChecks, ReadinessVerdict } from '@spine/core';
import { classifySqlFault } from '../sql/errors.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { partitionKeyOf, partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { readinessFacts } from './readiness-facts.ts';

export interface ReadinessQuestion {
  readonly domain: string;
  /** The expected schedule that says what should be there. */
  readonly workflow: string;
  /** May leave fields of the schedule's template out: it then covers all their values. */
  readonly partitionKey: PartitionKey;
  /** The purpose, e.g. `trading` or `reporting`. */
  readonly readyFor: string;
  /** Who asks. */
  readonly certifiedBy: string;
  readonly runId?: string | null;
}

export interface Readiness {
  readonly domain: string;
  readonly partitionKey: PartitionKey;
  readonly readyFor: string;
  readonly workflow: string;
  readonly isReady: boolean;
  readonly checks: ReadinessChecks;
  /** Empty exactly when it is ready. */
  readonly blocking: readonly BlockingReason[];
  readonly notes: readonly string[];
  readonly certifiedBy: string;
  readonly runId: string | null;
  readonly evaluatedAt: Date;
  /** Since when it has been ready without a break; null when it is not. */
  readonly certifiedAt: Date | null;
  /** When it last ceased to be ready; null when it never did. */
  readonly revokedAt: Date | null;
}

/** Verdicts of one partition at the same time are tried again this often. */
const TRIES = 5;

export function toReadiness(row: Selectable<Database['data_readiness']>): Readiness {
  return {
    domain: row.domain,
    partitionKey: partitionKeyOf(row.partition_key),
    readyFor: row.ready_for,
    workflow: row.workflow,
    isReady: row.is_ready,
    checks: {
      allPartitionsPresent: row.all_partitions_present,
      allStagesComplete: row.all_stages_complete,
      noCriticalAnomalies: row.no_critical_anomalies,
      dependenciesCurrent: row.dependencies_current,
      ageExceedsPreliminary: row.age_exceeds_preliminary,
    },
    blocking: row.blocking_reasons as readonly BlockingReason[],
    notes: row.notes as readonly string[],
    certifiedBy: row.certified_by,
    runId: row.run_id,
    evaluatedAt: row.evaluated_at,
    certifiedAt: row.certified_at,
    revokedAt: row.revoked_at,
  };
}

/**
 * Judges whether a partition may be used for a purpose, and keeps the verdict.
 *
 * @param db a transaction of the caller's is used as it is: its isolation decides what the facts are read from.
 * @throws ValidationError when the key does not name a period of the schedule.
 */
export function certify(db: Db | DbTransaction, question: ReadinessQuestion): Promise<Readiness> {
  return fromOneSnapshot(db, async (on) => {
    const facts = await readinessFacts(on, question.domain, question.workflow, question.partitionKey);
    return keep(on, question, readinessVerdict(facts));
  });
}

/** Judges what is kept anew. A key that its schedule has no period for any more is not expected, whatever it was. */
function recertify(db: Db, question: ReadinessQuestion): Promise<Readiness> {
  return fromOneSnapshot(db, async (on) => {
    try {
      const facts = await readinessFacts(on, question.domain, question.workflow, question.partitionKey);
      return await keep(on, question, readinessVerdict(facts));
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      return keep(on, question, notExpected(error.message));
    }
  });
}

async function fromOneSnapshot(
  db: Db | DbTransaction,
  work: (on: Db | DbTransaction) => Promise<Readiness>,
): Promise<Readiness> {
  if (db.isTransaction) return work(db);
  for (let tried = 1; ; tried += 1) {
    try {
      return await db.transaction().setIsolationLevel('repeatable read').execute(work);
    } catch (error) {
      if (classifySqlFault(error) !== 'conflict' || tried === TRIES) throw error;
    }
  }
}

/** Writes a verdict in the place of the one before. */
async function keep(
  on: Db | DbTransaction,
  question: ReadinessQuestion,
  verdict: ReadinessVerdict,
): Promise<Readiness> {
  const { domain, workflow, partitionKey, readyFor } = question;
  const { checks, isReady } = verdict;
  const values = {
    workflow,
    is_ready: isReady,
    all_partitions_present: checks.allPartitionsPresent,
    all_stages_complete: checks.allStagesComplete,
    no_critical_anomalies: checks.noCriticalAnomalies,
    dependencies_current: checks.dependenciesCurrent,
    age_exceeds_preliminary: checks.ageExceedsPreliminary,
    blocking_reasons: JSON.stringify(verdict.blocking),
    notes: JSON.stringify(verdict.notes),
    certified_by: question.certifiedBy,
    run_id: question.runId ?? null,
  };
  const row = await on
    .insertInto('data_readiness')
    .values({
      domain,
      partition_key: partitionKeyText(partitionKey),
      ready_for: readyFor,
      ...values,
      certified_at: isReady ? sql<Date>`now()` : null,
    })
    .onConflict((conflict) =>
      conflict.columns(['domain', 'partition_key', 'ready_for']).doUpdateSet({
        ...values,
        evaluated_at: sql<Date>`now()`,
        certified_at: sql<Date | null>`CASE WHEN excluded.is_ready THEN COALESCE(data_readiness.certified_at, now()) END`,
        revoked_at: sql<Date | null>`CASE WHEN data_readiness.is_ready AND NOT excluded.is_ready THEN now()
          ELSE data_readiness.revoked_at END`,
      }),
    )
    .returningAll()
    .executeTakeFirstOrThrow();
  return toReadiness(row);
}

/** What a partition that is not ready is refused with. Not retryable by itself: something has to change first. */
export class NotReadyError extends OperationError {}

/**
 * Judges anew, and answers only when the partition is ready.
 * @throws NotReadyError with the reasons; ValidationError as {@link certify}.
 */
export async function requireReady(db: Db | DbTransaction, question: ReadinessQuestion): Promise<Readiness> {
  const readiness = await certify(db, question);
  if (readiness.isReady) return readiness;
  const reasons = readiness.blocking.slice(0, 5).map(({ message }) => message);
  const rest = readiness.blocking.length > 5 ? `; and ${readiness.blocking.length - 5} more` : '';
  throw new NotReadyError(
    `${question.domain} ${partitionKeyText(question.partitionKey)} is not ready for ${question.readyFor}: ` +
      `${reasons.join('; ')}${rest}`,
  );
}

/**
 * Judges anew those that were ready and whose verdict is the oldest, at most `limit`; what is not ready any more is
 * revoked. Answers with those that were.
 */
export async function recheckReadiness(
  db: Db,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<{ readonly checked: number; readonly revoked: readonly Readiness[] }> {
  const rows = await db
    .selectFrom('data_readiness')
    .selectAll()
    .where(sql<boolean>`is_ready`)
    .where('evaluated_at', '<', sql<Date>`now() - ${olderThanMs} * interval '1 millisecond'`)
    .orderBy('evaluated_at')
    .limit(limit)
    .execute();
  const revoked: Readiness[] = [];
  for (const row of rows) {
    const { domain, workflow, readyFor, partitionKey, certifiedBy, runId } = toReadiness(row);
    const now = await recertify(db, { domain, workflow, readyFor, partitionKey, certifiedBy, runId });
    if (!now.isReady) revoked.push(now);
  }
  return { checked: rows.length, revoked };
}
