/**
 * Partitions that had not come by their time.
 *
 * 1. One is late once: a row for domain, workflow and partition, stored with its anomaly and its event or not at all.
 * 2. It arrives once: the UPDATE is guarded, and resolves the anomaly in the same transaction.
 */
import { sql } from 'kysely';
import { AnomalyCategory, sha256Hex, Severity } from '@spine/core';
import type { ExpectedPartition } from '@spine/core';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { appendInboundEvents } from '../triggers/inbound.ts';
import { recordAnomaly, resolveAnomaly } from './anomalies.ts';
import type { StoredExpectedSchedule } from './expected-schedules.ts';
import { partitionKeyOf, partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';

/** The channel of what the ledger tells triggers. */
export const EXPECTED_CHANNEL = 'expected';

const RESOLVED_BY = 'scheduler';

/** Of these partitions, the keys of those that have reached all the stages. */
export async function completePartitions(
  db: Db | DbTransaction,
  domain: string,
  partitionKeys: readonly PartitionKey[],
  stages: readonly string[],
): Promise<ReadonlySet<string>> {
  if (partitionKeys.length === 0) return new Set();
  const rows = await db
    .selectFrom('manifest')
    .select('partition_key')
    .where('domain', '=', domain)
    .where('partition_key', '=', sql<string>`ANY(${partitionKeys.map(partitionKeyText)}::text[])`)
    .where('stage', '=', sql<string>`ANY(${[...stages]}::text[])`)
    .groupBy('partition_key')
    .having((eb) => eb.fn.countAll<number>(), '=', stages.length)
    .execute();
  return new Set(rows.map((row) => row.partition_key));
}

/** The keys of partitions known to be late or to have been. */
export async function knownLate(
  db: Db | DbTransaction,
  { domain, workflow }: Pick<StoredExpectedSchedule, 'domain' | 'workflow'>,
  partitionKeys: readonly PartitionKey[],
): Promise<ReadonlySet<string>> {
  if (partitionKeys.length === 0) return new Set();
  const rows = await db
    .selectFrom('late_partitions')
    .select('partition_key')
    .where('domain', '=', domain)
    .where('workflow', '=', workflow)
    .where('partition_key', '=', sql<string>`ANY(${partitionKeys.map(partitionKeyText)}::text[])`)
    .execute();
  return new Set(rows.map((row) => row.partition_key));
}

/** Records that a partition is late, with an anomaly and an event; false when that is known. */
export function recordLate(
  db: Db,
  schedule: StoredExpectedSchedule,
  partition: ExpectedPartition,
): Promise<boolean> {
  const { domain, workflow } = schedule;
  const { partitionKey, expectedAt } = partition;
  return db.transaction().execute(async (trx) => {
    const key = partitionKeyText(partitionKey);
    // Whoever else looks now waits here, and then finds the row.
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`spine.late:${domain}:${workflow}:${key}`}, 0))`.execute(
      trx,
    );
    if ((await knownLate(trx, schedule, [partitionKey])).size > 0) return false;
    const anomaly = await recordAnomaly(trx, {
      domain,
      partitionKey,
      severity: Severity.ERROR,
      category: AnomalyCategory.SOURCE_ERROR,
      message: `expected by ${expectedAt.toISOString()} from ${workflow} and not there`,
      metadata: { workflow, expected_at: expectedAt.toISOString(), required_stages: schedule.requiredStages },
    });
    await trx
      .insertInto('late_partitions')
      .values({
        domain,
        workflow,
        partition_key: key,
        expected_at: expectedAt,
        anomaly_id: anomaly.anomalyId,
      })
      .execute();
    await tell(trx, 'partition.late', schedule, partitionKey, expectedAt);
    return true;
  });
}

export interface LatePartition {
  readonly partitionKey: PartitionKey;
  readonly expectedAt: Date;
  readonly anomalyId: string;
}

/** Late partitions of a schedule that have not come, at most `limit`, by partition after `after`. */
export async function openLatePartitions(
  db: Db,
  { domain, workflow }: Pick<StoredExpectedSchedule, 'domain' | 'workflow'>,
  limit: number,
  after = '',
): Promise<readonly LatePartition[]> {
  const rows = await db
    .selectFrom('late_partitions')
    .select(['partition_key', 'expected_at', 'anomaly_id'])
    .where('domain', '=', domain)
    .where('workflow', '=', workflow)
    .where('arrived_at', 'is', null)
    .where('partition_key', '>', after)
    .orderBy('partition_key')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    partitionKey: partitionKeyOf(row.partition_key),
    expectedAt: row.expected_at,
    anomalyId: row.anomaly_id,
  }));
}

/** Records that a late partition has come: resolves its anomaly and tells triggers; false when that is known. */
export function recordArrival(
  db: Db,
  schedule: StoredExpectedSchedule,
  { partitionKey, expectedAt, anomalyId }: LatePartition,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('late_partitions')
      .set({ arrived_at: sql<Date>`now()` })
      .where('domain', '=', schedule.domain)
      .where('workflow', '=', schedule.workflow)
      .where('partition_key', '=', partitionKeyText(partitionKey))
      .where('arrived_at', 'is', null)
      .returning('arrived_at')
      .executeTakeFirst();
    if (row === undefined) return false;
    await resolveAnomaly(trx, anomalyId, RESOLVED_BY, 'the partition has arrived');
    await tell(trx, 'partition.arrived', schedule, partitionKey, expectedAt);
    return true;
  });
}

async function tell(
  trx: DbTransaction,
  eventType: 'partition.late' | 'partition.arrived',
  { domain, workflow }: StoredExpectedSchedule,
  partitionKey: PartitionKey,
  expectedAt: Date,
): Promise<void> {
  const key = partitionKeyText(partitionKey);
  await appendInboundEvents(asQueryable(trx), [
    {
      source: 'ledger',
      channel: EXPECTED_CHANNEL,
      eventId: `${eventType}:${sha256Hex(JSON.stringify([domain, workflow, key]))}`,
      eventType,
      data: JSON.stringify({
        domain,
        workflow,
        partition_key: partitionKey,
        expected_at: expectedAt.toISOString(),
      }),
    },
  ]);
}
