/** Data readiness from the ledger's own rows: judged, kept, revoked. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import type { CalcDependency, ExpectedSchedule } from '@spine/core';
import {
  advanceManifest,
  advanceWatermark,
  certify,
  deleteCalcDependency,
  findGaps,
  getExpectedSchedule,
  listCalcDependencies,
  listExpectedSchedules,
  listReadiness,
  NotReadyError,
  putCalcDependencies,
  putExpectedSchedule,
  recheckReadiness,
  recordAnomaly,
  requireReady,
  resolveAnomaly,
} from '@spine/database';
import type { Readiness, ReadinessQuestion } from '@spine/database';
import { createReadinessRecheck } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { openEngineDatabase, openTransaction, somebodyWaitsForALock } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
beforeEach(async () => {
  await base.admin.query(
    'TRUNCATE manifest, anomalies, expected_schedules, calc_dependencies, data_readiness, watermarks',
  );
  await putExpectedSchedule(base.db, WEEKLY);
});
afterAll(() => base.close());

const WEEKLY: ExpectedSchedule = {
  domain: 'otc',
  workflow: 'weekly',
  cadence: 'weekly',
  partitionTemplate: { week_ending: '{week_ending}', tier: ['OTC', 'NMS'] },
  requiredStages: ['INGESTED', 'NORMALIZED'],
  expectedDelayHours: 72,
  preliminaryHours: 0,
  active: true,
  description: null,
};
const WEEK = '2025-12-12';
const TIERS = ['OTC', 'NMS'] as const;

const question = (more: Partial<ReadinessQuestion> = {}): ReadinessQuestion => ({
  domain: 'otc',
  workflow: 'weekly',
  partitionKey: { week_ending: WEEK },
  readyFor: 'reporting',
  certifiedBy: 'test',
  ...more,
});

async function reach(stage: string, stageRank: number, tier: string, domain = 'otc'): Promise<void> {
  await advanceManifest(base.db, {
    domain,
    partitionKey: { week_ending: WEEK, tier },
    stage,
    stageRank,
    rowCount: 1,
    metrics: {},
    runId: newId(),
    batchId: null,
  });
}

async function reachAll(): Promise<void> {
  for (const tier of TIERS) {
    await reach('INGESTED', 1, tier);
    await reach('NORMALIZED', 2, tier);
  }
}

const codes = (readiness: Readiness) => readiness.blocking.map(({ code }) => code);

const DEPENDENCY: CalcDependency = {
  calcDomain: 'otc',
  calcOperation: 'normalize',
  calcStage: 'NORMALIZED',
  dependsOnDomain: 'otc',
  dependsOnOperation: 'ingest',
  dependsOnStage: 'INGESTED',
  partitionFields: null,
  dependencyType: 'REQUIRED',
  description: null,
};

describe('a certified partition', () => {
  it('is ready from the moment everything is there, and says what is missing until then', async () => {
    expect(codes(await certify(base.db, question()))).toEqual(['PARTITION_MISSING', 'PARTITION_MISSING']);
    await reach('INGESTED', 1, 'OTC');
    expect(codes(await certify(base.db, question()))).toEqual(['PARTITION_MISSING', 'STAGE_MISSING']);
    await reachAll();
    const ready = await certify(base.db, question());
    expect(ready).toMatchObject({ isReady: true, blocking: [], revokedAt: null });
    const again = await certify(base.db, question());
    expect(again.certifiedAt).toEqual(ready.certifiedAt);
    expect(again.evaluatedAt.getTime()).toBeGreaterThan(ready.evaluatedAt.getTime());
  });

  it('is not ready for a domain that nobody expects anything of', async () => {
    await reachAll();
    expect(codes(await certify(base.db, question({ workflow: 'monthly' })))).toEqual(['NO_EXPECTATION']);
    await putExpectedSchedule(base.db, { ...WEEKLY, active: false });
    expect(codes(await certify(base.db, question()))).toEqual(['NO_EXPECTATION']);
  });

  it('is refused for a key that names no period', async () => {
    await expect(certify(base.db, question({ partitionKey: { week_ending: '2025-12-11' } }))).rejects.toThrow(
      'partition_key.week_ending: 2025-12-11 is a Thursday, not a Friday',
    );
    expect((await listReadiness(base.db, {}, { limit: 1 })).total).toBe(0);
  });

  it('is revoked by the next look when a critical anomaly opens, and ready again when it is resolved', async () => {
    await reachAll();
    await certify(base.db, question());
    const anomaly = (severity: 'CRITICAL' | 'ERROR') =>
      recordAnomaly(base.db, {
        domain: 'otc',
        partitionKey: { week_ending: WEEK, tier: 'NMS' },
        severity,
        category: 'DATA_QUALITY',
        message: 'half a file',
      });
    await anomaly('ERROR');
    expect(await recheckReadiness(base.db, { olderThanMs: 0, limit: 10 })).toEqual({
      checked: 1,
      revoked: [],
    });
    const { anomalyId } = await anomaly('CRITICAL');
    const { revoked } = await recheckReadiness(base.db, { olderThanMs: 0, limit: 10 });
    expect(revoked.map(codes)).toEqual([['CRITICAL_ANOMALY']]);
    expect(revoked[0]).toMatchObject({ certifiedAt: null, checks: { noCriticalAnomalies: false } });
    expect(revoked[0]?.revokedAt).not.toBeNull();
    // The other tier is not touched by it.
    expect(
      await certify(base.db, question({ partitionKey: { week_ending: WEEK, tier: 'OTC' } })),
    ).toMatchObject({
      isReady: true,
    });
    await resolveAnomaly(base.db, anomalyId, 'me');
    expect(await certify(base.db, question())).toMatchObject({ isReady: true });
  });

  it('is revoked when its schedule does not have its period any more', async () => {
    await reachAll();
    await certify(base.db, question());
    const daily = { ...WEEKLY, cadence: 'monthly' as const, partitionTemplate: { month: '{month}' } };
    await putExpectedSchedule(base.db, daily);
    const { revoked } = await recheckReadiness(base.db, { olderThanMs: 0, limit: 10 });
    expect(revoked.map(codes)).toEqual([['NO_EXPECTATION']]);
  });

  it('is stale when what it was made from has changed since', async () => {
    await putCalcDependencies(base.db, [DEPENDENCY]);
    await reachAll();
    expect(await certify(base.db, question())).toMatchObject({ isReady: true });
    await reach('INGESTED', 1, 'OTC');
    const stale = await certify(base.db, question());
    expect(stale.blocking).toMatchObject([
      { code: 'DEPENDENCY_STALE', partitionKey: '{"tier":"OTC","week_ending":"2025-12-12"}' },
    ]);
    await reach('NORMALIZED', 2, 'OTC');
    expect(await certify(base.db, question())).toMatchObject({ isReady: true });
  });

  it('is stale also when that changed within the same millisecond', async () => {
    await putCalcDependencies(base.db, [DEPENDENCY]);
    await reachAll();
    await base.admin.query(
      `UPDATE manifest SET updated_at = '2026-01-02T03:04:05.000001Z'::timestamptz
         + CASE WHEN stage = 'INGESTED' THEN interval '1 microsecond' ELSE interval '0' END`,
    );
    expect(codes(await certify(base.db, question()))).toContain('DEPENDENCY_STALE');
  });

  it('needs what it depends on in another domain, by the fields that name it there', async () => {
    await reachAll();
    const calendar = {
      ...DEPENDENCY,
      dependsOnDomain: 'calendar',
      dependsOnOperation: 'load',
      dependsOnStage: 'LOADED',
      partitionFields: [],
    };
    await putCalcDependencies(base.db, [calendar, { ...DEPENDENCY, dependencyType: 'OPTIONAL' }]);
    expect(codes(await certify(base.db, question()))).toEqual(['DEPENDENCY_MISSING', 'DEPENDENCY_MISSING']);
    await advanceManifest(base.db, {
      domain: 'calendar',
      partitionKey: {},
      stage: 'LOADED',
      stageRank: 1,
      rowCount: null,
      metrics: {},
      runId: newId(),
      batchId: null,
    });
    for (const tier of TIERS) await reach('NORMALIZED', 2, tier);
    await reach('INGESTED', 1, 'NMS');
    const verdict = await certify(base.db, question());
    expect([verdict.isReady, verdict.notes]).toEqual([
      true,
      [
        'optional: otc:ingest changed after otc:normalize was made for {"tier":"NMS","week_ending":"2025-12-12"}',
      ],
    ]);
  });

  it('is what a consumer may use, and nothing else: what is kept is not trusted', async () => {
    await reachAll();
    expect(await requireReady(base.db, question())).toMatchObject({ isReady: true });
    await base.admin.query(`DELETE FROM manifest WHERE stage = 'NORMALIZED'`);
    await expect(requireReady(base.db, question())).rejects.toThrow(NotReadyError);
    await expect(requireReady(base.db, question())).rejects.toThrow('has not reached stage NORMALIZED');
  });

  it('is judged from one moment: facts that never held together do not make it ready', async () => {
    await reachAll();
    await recordAnomaly(base.db, {
      domain: 'otc',
      severity: 'CRITICAL',
      category: 'DATA_QUALITY',
      message: 'half a file',
    });
    // In one commit the alarm ends and the stage goes: before it the one blocks, after it the other.
    const other = await openTransaction(base.admin);
    await other.client.query('LOCK TABLE anomalies IN ACCESS EXCLUSIVE MODE');
    const verdict = certify(base.db, question());
    await somebodyWaitsForALock(base.admin);
    await other.client.query(`UPDATE anomalies SET resolved_at = now(), resolved_by = 'me'`);
    await other.client.query(`DELETE FROM manifest WHERE stage = 'NORMALIZED'`);
    await other.end('COMMIT');
    expect(codes(await verdict)).toEqual(['CRITICAL_ANOMALY']);
    expect(codes(await certify(base.db, question()))).toEqual(['STAGE_MISSING', 'STAGE_MISSING']);
  });

  it('is looked at again by the schedulers, who say what is not ready any more', async () => {
    await reachAll();
    await certify(base.db, question());
    await base.admin.query(`DELETE FROM manifest WHERE stage = 'NORMALIZED'`);
    const logger = silentLogger();
    const said: unknown[] = [];
    logger.warn = (fields: unknown) => void said.push(fields);
    const service = createReadinessRecheck({ db: base.db, logger, everyMs: 20, olderThanMs: 0 });
    service.start();
    await waitFor(() => said.length > 0);
    await service.stop();
    expect(said).toMatchObject([
      { domain: 'otc', ready_for: 'reporting', reasons: ['STAGE_MISSING', 'STAGE_MISSING'] },
    ]);
    expect((await listReadiness(base.db, { isReady: false }, { limit: 1 })).total).toBe(1);
  });

  it('is judged once however many ask at once', async () => {
    await reachAll();
    const verdicts = await Promise.all([1, 2, 3, 4].map(() => certify(base.db, question())));
    expect(verdicts.every(({ isReady }) => isReady)).toBe(true);
    expect((await listReadiness(base.db, { domain: 'otc', isReady: true }, { limit: 5 })).total).toBe(1);
  });
});

describe('dependencies of calculations', () => {
  it('are stored as the documentation shows', async () => {
    const { db } = base;
    await putCalcDependencies(db, [
      {
        calcDomain: 'prices',
        calcOperation: 'returns',
        calcStage: 'RETURNS',
        dependsOnDomain: 'prices',
        dependsOnOperation: 'load_day',
        dependsOnStage: 'LOADED',
        partitionFields: ['day'],
        dependencyType: 'REQUIRED',
        description: null,
      },
    ]);
    expect(await listCalcDependencies(db, 'prices')).toMatchObject([
      { calcOperation: 'returns', dependsOnOperation: 'load_day', partitionFields: ['day'] },
    ]);
  });

  it('do not close a circle, and nothing of them is kept when they would', async () => {
    await putCalcDependencies(base.db, [DEPENDENCY]);
    const back = { ...DEPENDENCY, calcOperation: 'ingest', dependsOnOperation: 'normalize' };
    const other = { ...DEPENDENCY, calcOperation: 'rolling' };
    await expect(putCalcDependencies(base.db, [other, back])).rejects.toThrow(
      'calculations would depend on themselves: otc:ingest -> otc:normalize -> otc:ingest',
    );
    expect(await listCalcDependencies(base.db, 'otc')).toEqual([DEPENDENCY]);
    expect(await deleteCalcDependency(base.db, DEPENDENCY)).toBe(true);
    expect(await deleteCalcDependency(base.db, DEPENDENCY)).toBe(false);
    await putCalcDependencies(base.db, [back]);
  });

  it('added at once do not close one together', async () => {
    // Another edge is on its way in; whoever adds the one back waits for it, and sees it.
    const other = await openTransaction(base.admin);
    await other.client.query(
      `INSERT INTO calc_dependencies (calc_domain, calc_operation, calc_stage, depends_on_domain, depends_on_operation,
         depends_on_stage, dependency_type) VALUES ('otc', 'ingest', 'I', 'otc', 'normalize', 'N', 'OPTIONAL')`,
    );
    const refused = expect(putCalcDependencies(base.db, [DEPENDENCY])).rejects.toThrow(
      'depend on themselves',
    );
    await somebodyWaitsForALock(base.admin);
    await other.end('COMMIT');
    await refused;
  });
});

describe('an expected schedule', () => {
  it('is replaced by the next one of its workflow, and refused as a whole when it is wrong', async () => {
    await putExpectedSchedule(base.db, { ...WEEKLY, preliminaryHours: 5 });
    expect(await getExpectedSchedule(base.db, 'otc', 'weekly')).toMatchObject({ preliminaryHours: 5 });
    await expect(putExpectedSchedule(base.db, { ...WEEKLY, requiredStages: [] })).rejects.toThrow(
      'required_stages',
    );
    expect((await listExpectedSchedules(base.db, { active: true }, { limit: 5 })).total).toBe(1);
  });

  it('waits for its figures to be final', async () => {
    await reachAll();
    await putExpectedSchedule(base.db, { ...WEEKLY, expectedDelayHours: 8_784, preliminaryHours: 8_784 });
    expect(
      codes(await certify(base.db, question({ partitionKey: { week_ending: '9999-12-24', tier: 'OTC' } }))),
    ).toEqual(['PARTITION_MISSING', 'PRELIMINARY']);
  });
});

describe('gaps', () => {
  it('are partitions that are expected and without a watermark, or without a row of a stage', async () => {
    const key = (week: string) => ({ week_ending: week, tier: 'OTC' });
    const expected = ['2025-12-05', WEEK, '2025-12-19'].map(key);
    await advanceWatermark(base.db, {
      domain: 'otc',
      source: 'files',
      partitionKey: key('2025-12-19'),
      kind: 'date',
      highWater: '2025-12-19',
    });
    await reach('INGESTED', 1, 'OTC');
    expect(await findGaps(base.db, 'otc', expected, { type: 'watermark', source: 'files' })).toEqual([
      key('2025-12-05'),
      key(WEEK),
    ]);
    expect(await findGaps(base.db, 'otc', expected, { type: 'manifest', stage: 'INGESTED' })).toEqual([
      key('2025-12-05'),
      key('2025-12-19'),
    ]);
    expect(await findGaps(base.db, 'otc', expected, { type: 'manifest', stage: 'NORMALIZED' })).toEqual(
      expected,
    );
  });
});
