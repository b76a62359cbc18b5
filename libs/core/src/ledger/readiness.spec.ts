import { describe, expect, it } from 'vitest';
import { dependedPartition, partitionsOverlap, readinessVerdict } from './readiness.ts';
import type { DependencyFact, ReadinessFacts } from './readiness.ts';

const OTC = '{"tier":"OTC","week_ending":"2025-12-12"}';
const NMS = '{"tier":"NMS_TIER_1","week_ending":"2025-12-12"}';
const at = (hour: number) => new Date(Date.UTC(2025, 11, 20, hour));

const dependency: DependencyFact = {
  dependency: {
    calcDomain: 'finra',
    calcOperation: 'rolling',
    calcStage: 'ROLLED',
    dependsOnDomain: 'finra',
    dependsOnOperation: 'aggregate',
    dependsOnStage: 'AGGREGATED',
    partitionFields: null,
    dependencyType: 'REQUIRED',
    description: null,
  },
  partitionKey: OTC,
  madeAt: 2n,
  dependsOnMadeAt: 1n,
};

const READY: ReadinessFacts = {
  schedule: {
    domain: 'finra',
    workflow: 'weekly',
    cadence: 'weekly',
    partitionTemplate: { week_ending: '{week_ending}', tier: ['OTC', 'NMS_TIER_1'] },
    requiredStages: ['INGESTED', 'NORMALIZED'],
    expectedDelayHours: 72,
    preliminaryHours: 24,
    active: true,
    description: null,
  },
  partitionKey: { week_ending: '2025-12-12' },
  stages: new Map([
    [OTC, new Set(['INGESTED', 'NORMALIZED'])],
    [NMS, new Set(['INGESTED', 'NORMALIZED', 'AGGREGATED'])],
  ]),
  anomalies: [],
  dependencies: [dependency],
  now: at(0),
};

const codes = (facts: Partial<ReadinessFacts>) => {
  const verdict = readinessVerdict({ ...READY, ...facts });
  expect(verdict.isReady).toBe(verdict.blocking.length === 0);
  expect(verdict.isReady).toBe(Object.values(verdict.checks).every(Boolean));
  return verdict.blocking.map((reason) => reason.code);
};

describe('a partition', () => {
  it('is ready when everything expected is there, complete, without alarm and current', () => {
    expect(readinessVerdict(READY)).toMatchObject({ isReady: true, blocking: [], notes: [] });
  });

  it('is not ready when nothing says what should be there', () => {
    expect(codes({ schedule: null })).toEqual(['NO_EXPECTATION']);
    const { schedule } = READY;
    expect(codes({ schedule: schedule === null ? null : { ...schedule, active: false } })).toEqual([
      'NO_EXPECTATION',
    ]);
    expect(codes({ partitionKey: { week_ending: '2025-12-12', tier: 'NMS_TIER_2' } })).toEqual([
      'NO_EXPECTATION',
    ]);
  });

  it('is not ready while one of its partitions is missing or behind; each is named', () => {
    expect(codes({ stages: new Map() })).toEqual(['PARTITION_MISSING', 'PARTITION_MISSING']);
    const behind = new Map([
      [OTC, new Set(['INGESTED'])],
      [NMS, new Set(['INGESTED', 'NORMALIZED'])],
    ]);
    expect(readinessVerdict({ ...READY, stages: behind }).blocking).toMatchObject([
      { code: 'STAGE_MISSING', partitionKey: OTC, stage: 'NORMALIZED' },
    ]);
    // The other tier alone is not touched by it.
    expect(
      codes({ stages: behind, partitionKey: { week_ending: '2025-12-12', tier: 'NMS_TIER_1' } }),
    ).toEqual([]);
  });

  it.each([
    [null, true],
    [{ week_ending: '2025-12-12' }, true],
    [{ week_ending: '2025-12-12', tier: 'OTC', venue: 'X' }, true],
    [{ file: 'unknown' }, true],
    [{ week_ending: '2025-12-05' }, false],
    [{ week_ending: '2025-12-12', tier: 'NMS_TIER_2' }, false],
  ])('is held up by a critical anomaly of %j: %j', (partitionKey, held) => {
    const anomalies = [{ anomalyId: 'a', partitionKey, message: 'half a file' }];
    expect(codes({ anomalies })).toEqual(held ? ['CRITICAL_ANOMALY'] : []);
  });

  it('is not ready when a calculation is missing or older than what it is made from', () => {
    expect(codes({ dependencies: [{ ...dependency, madeAt: null }] })).toEqual(['DEPENDENCY_MISSING']);
    expect(codes({ dependencies: [{ ...dependency, dependsOnMadeAt: null }] })).toEqual([
      'DEPENDENCY_MISSING',
    ]);
    expect(codes({ dependencies: [{ ...dependency, dependsOnMadeAt: 3n }] })).toEqual(['DEPENDENCY_STALE']);
    // Made in one transaction: current.
    expect(codes({ dependencies: [{ ...dependency, dependsOnMadeAt: 2n }] })).toEqual([]);
  });

  it('tells of optional dependencies without being held up', () => {
    const optional = { ...dependency.dependency, dependencyType: 'OPTIONAL' as const };
    const verdict = readinessVerdict({
      ...READY,
      dependencies: [{ ...dependency, dependency: optional, dependsOnMadeAt: 3n }],
    });
    expect(verdict.isReady).toBe(true);
    expect(verdict.notes).toEqual([
      `optional: finra:aggregate changed after finra:rolling was made for ${OTC}`,
    ]);
  });

  it('is preliminary until the hours after its expected time are over', () => {
    // Week of the 12th, over at midnight, 72 hours of delay, 24 hours preliminary.
    expect(codes({ now: new Date('2025-12-16T23:59:59Z') })).toEqual(['PRELIMINARY']);
    expect(codes({ now: new Date('2025-12-17T00:00:00Z') })).toEqual([]);
    const { schedule } = READY;
    expect(
      codes({
        schedule: schedule === null ? null : { ...schedule, preliminaryHours: 0 },
        now: new Date('2025-12-13T00:00:00Z'),
      }),
    ).toEqual([]);
  });

  it('has every reason listed at once', () => {
    expect(
      codes({
        stages: new Map([[OTC, new Set(['INGESTED'])]]),
        anomalies: [{ anomalyId: 'a', partitionKey: null, message: 'm' }],
        dependencies: [{ ...dependency, madeAt: null }],
        now: new Date('2025-12-14T00:00:00Z'),
      }),
    ).toEqual([
      'PARTITION_MISSING',
      'STAGE_MISSING',
      'CRITICAL_ANOMALY',
      'DEPENDENCY_MISSING',
      'PRELIMINARY',
    ]);
  });
});

describe('partition keys', () => {
  it('overlap when they do not contradict each other', () => {
    expect(partitionsOverlap({ a: 1, b: 2 }, { b: 2, c: 3 })).toBe(true);
    expect(partitionsOverlap({ a: 1, b: 2 }, { b: 3 })).toBe(false);
    expect(partitionsOverlap({ toString: 'x' }, { a: 1 })).toBe(true);
  });

  it('name what they depend on by some of their fields', () => {
    expect(dependedPartition({ year: 2025, tier: 'OTC' }, ['year'])).toEqual({ year: 2025 });
    expect(dependedPartition({ year: 2025 }, null)).toEqual({ year: 2025 });
    expect(dependedPartition({ year: 2025 }, [])).toEqual({});
    expect(dependedPartition({ year: 2025 }, ['toString'])).toBeNull();
  });
});
