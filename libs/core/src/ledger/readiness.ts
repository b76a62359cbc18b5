/**
 * Whether a partition may be used. A verdict from facts, nothing else.
 *
 * 1. Fail closed: what is not known blocks. Without an active expected schedule, without partitions it covers, nothing is
 *    ready.
 * 2. Every reason is listed, not the first one.
 */
import { canonicalJson } from '../json/canonical-json.ts';
import type { CalcDependency } from './calc-dependency.ts';
import { partitionsCoveredBy } from './expected-schedule.ts';
import type { ExpectedPartition, ExpectedSchedule, PartitionFields } from './expected-schedule.ts';

/** What stands in the way. `partition_key` is canonical JSON. */
export type BlockingReason =
  /** Nothing says what should be there. */
  | { readonly code: 'NO_EXPECTATION'; readonly message: string }
  | { readonly code: 'PARTITION_MISSING'; readonly message: string; readonly partitionKey: string }
  | {
      readonly code: 'STAGE_MISSING';
      readonly message: string;
      readonly partitionKey: string;
      readonly stage: string;
    }
  | { readonly code: 'CRITICAL_ANOMALY'; readonly message: string; readonly anomalyId: string }
  /** The calculation was not made, or what it is made from is not there. */
  | { readonly code: 'DEPENDENCY_MISSING'; readonly message: string; readonly partitionKey: string }
  /** What the calculation is made from changed after it was made. */
  | { readonly code: 'DEPENDENCY_STALE'; readonly message: string; readonly partitionKey: string }
  | { readonly code: 'PRELIMINARY'; readonly message: string };

export type BlockingCode = BlockingReason['code'];

export interface OpenAnomaly {
  readonly anomalyId: string;
  /** Null: about the domain as a whole. */
  readonly partitionKey: PartitionFields | null;
  readonly message: string;
}

export interface DependencyFact {
  readonly dependency: CalcDependency;
  /** Of the calculation, canonical. */
  readonly partitionKey: string;
  /** When the calculation was made, in microseconds since 1970; null when it was not. */
  readonly madeAt: bigint | null;
  /** When what it depends on was made, likewise. A millisecond holds more than one stage. */
  readonly dependsOnMadeAt: bigint | null;
}

export interface ReadinessFacts {
  /** Null: there is none, or it is not active. */
  readonly schedule: ExpectedSchedule | null;
  /** What the verdict is about; may name a part of the schedule's fields and then covers several partitions. */
  readonly partitionKey: PartitionFields;
  /** The stages that each partition has reached, by canonical key. */
  readonly stages: ReadonlyMap<string, ReadonlySet<string>>;
  /** Open and critical, of the domain. */
  readonly anomalies: readonly OpenAnomaly[];
  readonly dependencies: readonly DependencyFact[];
  readonly now: Date;
}

export interface ReadinessChecks {
  readonly allPartitionsPresent: boolean;
  readonly allStagesComplete: boolean;
  readonly noCriticalAnomalies: boolean;
  readonly dependenciesCurrent: boolean;
  /** The hours in which figures may still change are over. */
  readonly ageExceedsPreliminary: boolean;
}

export interface ReadinessVerdict {
  /** All checks hold. */
  readonly isReady: boolean;
  readonly checks: ReadinessChecks;
  /** Empty exactly when it is ready. */
  readonly blocking: readonly BlockingReason[];
  /** What does not block: optional dependencies that are missing or stale. */
  readonly notes: readonly string[];
}

const NOTHING: ReadinessChecks = {
  allPartitionsPresent: false,
  allStagesComplete: false,
  noCriticalAnomalies: false,
  dependenciesCurrent: false,
  ageExceedsPreliminary: false,
};

/** The verdict on what nothing says should be there. */
export function notExpected(message: string): ReadinessVerdict {
  return { isReady: false, checks: NOTHING, blocking: [{ code: 'NO_EXPECTATION', message }], notes: [] };
}

/**
 * Whether two keys may be about the same data: they agree wherever both say something. Keys without a common field may,
 * so that an anomaly nobody can place blocks.
 */
export function partitionsOverlap(a: PartitionFields, b: PartitionFields): boolean {
  return Object.keys(a).every((field) => !Object.hasOwn(b, field) || a[field] === b[field]);
}

/**
 * The verdict on the partitions that `facts.partitionKey` covers.
 * @throws ValidationError when the key does not name a period of the schedule.
 */
export function readinessVerdict(facts: ReadinessFacts): ReadinessVerdict {
  const covered = facts.schedule === null ? [] : coveredBy(facts.schedule, facts.partitionKey);
  if (facts.schedule === null || covered.length === 0) {
    const message =
      facts.schedule === null
        ? 'no active expected schedule says what should be there'
        : `the expected schedule has no partition ${canonicalJson(facts.partitionKey)}`;
    return notExpected(message);
  }
  const dependencies = dependencyReasons(facts.dependencies);
  const missing = missingPartitions(facts, covered);
  const stages = missingStages(facts, facts.schedule, covered);
  const anomalies = anomalyReasons(facts, covered);
  const preliminary = preliminaryReasons(facts, covered);
  const blocking = [...missing, ...stages, ...anomalies, ...dependencies.blocking, ...preliminary];
  return {
    isReady: blocking.length === 0,
    checks: {
      allPartitionsPresent: missing.length === 0,
      // A partition that is not there has reached no stage.
      allStagesComplete: missing.length === 0 && stages.length === 0,
      noCriticalAnomalies: anomalies.length === 0,
      dependenciesCurrent: dependencies.blocking.length === 0,
      ageExceedsPreliminary: preliminary.length === 0,
    },
    blocking,
    notes: dependencies.notes,
  };
}

function coveredBy(schedule: ExpectedSchedule, key: PartitionFields): readonly ExpectedPartition[] {
  return schedule.active ? partitionsCoveredBy(schedule, key) : [];
}

function missingPartitions(
  { stages }: ReadinessFacts,
  covered: readonly ExpectedPartition[],
): BlockingReason[] {
  return covered
    .map((partition) => canonicalJson(partition.partitionKey))
    .filter((key) => (stages.get(key)?.size ?? 0) === 0)
    .map((partitionKey) => ({
      code: 'PARTITION_MISSING',
      partitionKey,
      message: `nothing is there of partition ${partitionKey}`,
    }));
}

function missingStages(
  { stages }: ReadinessFacts,
  { requiredStages }: ExpectedSchedule,
  covered: readonly ExpectedPartition[],
): BlockingReason[] {
  return covered.flatMap((partition) => {
    const partitionKey = canonicalJson(partition.partitionKey);
    const reached = stages.get(partitionKey);
    // One that is missing as a whole is told of once.
    if (reached === undefined || reached.size === 0) return [];
    return requiredStages
      .filter((stage) => !reached.has(stage))
      .map((stage): BlockingReason => {
        const message = `partition ${partitionKey} has not reached stage ${stage}`;
        return { code: 'STAGE_MISSING', partitionKey, stage, message };
      });
  });
}

function anomalyReasons(facts: ReadinessFacts, covered: readonly ExpectedPartition[]): BlockingReason[] {
  return facts.anomalies
    .filter(
      ({ partitionKey }) =>
        partitionKey === null || covered.some((each) => partitionsOverlap(each.partitionKey, partitionKey)),
    )
    .map(({ anomalyId, message }) => ({
      code: 'CRITICAL_ANOMALY',
      anomalyId,
      message: `critical anomaly ${anomalyId} is open: ${message}`,
    }));
}

function dependencyReasons(facts: readonly DependencyFact[]): {
  blocking: readonly BlockingReason[];
  notes: readonly string[];
} {
  const blocking: BlockingReason[] = [];
  const notes: string[] = [];
  for (const fact of facts) {
    const reason = dependencyReason(fact);
    if (reason === null) continue;
    if (fact.dependency.dependencyType === 'REQUIRED') blocking.push(reason);
    else notes.push(`optional: ${reason.message}`);
  }
  return { blocking, notes };
}

function dependencyReason(fact: DependencyFact): BlockingReason | null {
  const { dependency, partitionKey, madeAt, dependsOnMadeAt } = fact;
  const calc = `${dependency.calcDomain}:${dependency.calcOperation}`;
  const needs = `${dependency.dependsOnDomain}:${dependency.dependsOnOperation}`;
  if (madeAt === null) {
    return { code: 'DEPENDENCY_MISSING', partitionKey, message: `${calc} was not made for ${partitionKey}` };
  }
  if (dependsOnMadeAt === null) {
    const message = `${needs}, which ${calc} needs for ${partitionKey}, was not made`;
    return { code: 'DEPENDENCY_MISSING', partitionKey, message };
  }
  if (dependsOnMadeAt <= madeAt) return null;
  const message = `${needs} changed after ${calc} was made for ${partitionKey}`;
  return { code: 'DEPENDENCY_STALE', partitionKey, message };
}

function preliminaryReasons(
  { now }: ReadinessFacts,
  covered: readonly ExpectedPartition[],
): BlockingReason[] {
  const finalAt = Math.max(...covered.map((partition) => partition.finalAt.getTime()));
  // Without preliminary hours there is nothing to wait for, however early the data is.
  const waits = covered.some((partition) => partition.finalAt.getTime() > partition.expectedAt.getTime());
  if (!waits || now.getTime() >= finalAt) return [];
  return [{ code: 'PRELIMINARY', message: `figures may change until ${new Date(finalAt).toISOString()}` }];
}

/** The key of the partition that a calculation's partition depends on; null when it lacks one of the fields. */
export function dependedPartition(
  key: PartitionFields,
  fields: readonly string[] | null,
): PartitionFields | null {
  if (fields === null) return key;
  const picked: [string, string | number | boolean][] = [];
  for (const field of fields) {
    const value = Object.hasOwn(key, field) ? key[field] : undefined;
    if (value === undefined) return null;
    picked.push([field, value]);
  }
  return Object.fromEntries(picked);
}
