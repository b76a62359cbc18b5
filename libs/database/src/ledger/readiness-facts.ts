/** What a verdict on readiness is made from, read by key: it costs what the partition covers. */
import { sql } from 'kysely';
import { canonicalJson, dependedPartition, partitionsCoveredBy } from '@spine/core';
import type {
  CalcDependency,
  DependencyFact,
  ExpectedPartition,
  ExpectedSchedule,
  OpenAnomaly,
  PartitionFields,
  ReadinessFacts,
} from '@spine/core';
import { textArray } from '../sql/arrays.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { listCalcDependencies } from './calc-dependencies.ts';
import { getExpectedSchedule } from './expected-schedules.ts';
import { partitionKeyOf } from './manifest.ts';

type On = Db | DbTransaction;

/**
 * The facts about a partition, from one snapshot where `on` is a repeatable-read transaction.
 * @throws ValidationError when the key does not name a period of the schedule.
 */
export async function readinessFacts(
  on: On,
  domain: string,
  workflow: string,
  partitionKey: PartitionFields,
): Promise<ReadinessFacts> {
  const stored = await getExpectedSchedule(on, domain, workflow);
  const schedule = stored === null || !stored.active ? null : stored;
  const covered = schedule === null ? [] : coveredKeys(schedule, partitionKey);
  const texts = covered.map(canonicalJson);
  return {
    schedule,
    partitionKey,
    stages: await stagesOf(on, domain, texts),
    anomalies: await openCritical(on, domain),
    dependencies: await dependencyFacts(on, domain, covered),
    now: await databaseNow(on),
  };
}

function coveredKeys(schedule: ExpectedSchedule, key: PartitionFields): PartitionFields[] {
  return partitionsCoveredBy(schedule, key).map((partition: ExpectedPartition) => partition.partitionKey);
}

async function databaseNow(on: On): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`SELECT now()`.execute(on);
  return rows[0]?.now ?? new Date(0);
}

async function stagesOf(
  on: On,
  domain: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { rows } = await sql<{ partition_key: string; stages: string[] }>`
    SELECT partition_key, array_agg(stage) AS stages FROM manifest
    WHERE domain = ${domain} AND partition_key = ANY(${textArray(keys)}::text[]) GROUP BY partition_key`.execute(
    on,
  );
  return new Map(rows.map(({ partition_key, stages }) => [partition_key, new Set(stages)]));
}

async function openCritical(on: On, domain: string): Promise<OpenAnomaly[]> {
  const rows = await on
    .selectFrom('anomalies')
    .select(['id', 'partition_key', 'message'])
    .where('domain', '=', domain)
    // In the words of the index of open critical ones.
    .where(sql<boolean>`resolved_at IS NULL AND severity = 'CRITICAL'`)
    .orderBy('id')
    .execute();
  return rows.map(({ id, partition_key, message }) => ({
    anomalyId: id,
    partitionKey: partition_key === null ? null : partitionKeyOf(partition_key),
    message,
  }));
}

interface Asked {
  readonly dependency: CalcDependency;
  readonly key: string;
  /** Null: the calculation's key lacks a field that the dependency names. */
  readonly needs: string | null;
}

async function dependencyFacts(
  on: On,
  domain: string,
  covered: readonly PartitionFields[],
): Promise<DependencyFact[]> {
  const dependencies = await listCalcDependencies(on, domain);
  const asked = dependencies.flatMap((dependency) =>
    covered.map((key): Asked => {
      const needs = dependedPartition(key, dependency.partitionFields);
      return { dependency, key: canonicalJson(key), needs: needs === null ? null : canonicalJson(needs) };
    }),
  );
  const made = await madeAt(on, [
    ...asked.map(({ dependency, key }) => stageId(dependency.calcDomain, key, dependency.calcStage)),
    ...asked.flatMap(({ dependency, needs }) =>
      needs === null ? [] : [stageId(dependency.dependsOnDomain, needs, dependency.dependsOnStage)],
    ),
  ]);
  const when = (domainOf: string, key: string | null, stage: string): bigint | null =>
    key === null ? null : (made.get(canonicalJson(stageId(domainOf, key, stage))) ?? null);
  return asked.map(({ dependency, key, needs }) => ({
    dependency,
    partitionKey: key,
    madeAt: when(dependency.calcDomain, key, dependency.calcStage),
    dependsOnMadeAt: when(dependency.dependsOnDomain, needs, dependency.dependsOnStage),
  }));
}

type StageId = readonly [domain: string, key: string, stage: string];

function stageId(domain: string, key: string, stage: string): StageId {
  return [domain, key, stage];
}

/** To the microsecond: of two stages within a millisecond the later one counts. */
async function madeAt(on: On, stages: readonly StageId[]): Promise<ReadonlyMap<string, bigint>> {
  const column = (index: 0 | 1 | 2) => textArray(stages.map((id) => id[index]));
  const { rows } = await sql<{ domain: string; partition_key: string; stage: string; made_at: string }>`
    SELECT m.domain, m.partition_key, m.stage, (extract(epoch FROM m.updated_at) * 1000000)::bigint::text AS made_at FROM manifest m
    JOIN (SELECT DISTINCT * FROM unnest(${column(0)}::text[], ${column(1)}::text[], ${column(2)}::text[])
      AS t(domain, partition_key, stage)) a USING (domain, partition_key, stage)`.execute(on);
  return new Map(
    rows.map((row) => [
      canonicalJson(stageId(row.domain, row.partition_key, row.stage)),
      BigInt(row.made_at),
    ]),
  );
}
