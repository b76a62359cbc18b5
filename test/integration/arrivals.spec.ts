/** What was expected and does not come, or comes late. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  advanceManifest,
  completePartitions,
  createTrigger,
  databaseNow,
  knownLate,
  listExpectedSchedules,
  openLatePartitions,
  putExpectedSchedule,
  recordArrival,
} from '@spine/database';
import type { PartitionKey } from '@spine/database';
import { newRunId, plainDateFromInstant, WeekEnding } from '@spine/core';
import { silentLogger } from '@spine/observability';
import { checkArrivals, defineTrigger, EventRouter } from '@spine/scheduling';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { watchedDb } from './plan-support.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
});
afterAll(() => bed.close());

const look = () => checkArrivals({ db: bed.engine.db, logger: silentLogger() });

async function reach(partitionKey: PartitionKey, stage: string): Promise<void> {
  await advanceManifest(bed.engine.db, {
    domain: 'finra',
    partitionKey,
    stage,
    stageRank: stage === 'INGESTED' ? 1 : 2,
    rowCount: 1,
    metrics: {},
    runId: newRunId(),
    batchId: null,
  });
}

interface Row {
  readonly severity: string;
  readonly partition_key: string;
  readonly resolved: boolean;
}
async function anomalies(): Promise<Row[]> {
  const { rows } = await bed.admin.query<Row>(
    `SELECT severity, partition_key, resolved_at IS NOT NULL AS resolved FROM anomalies ORDER BY partition_key`,
  );
  return rows;
}

describe('an expected partition', () => {
  it('that has not come is an anomaly and an event, once; late, it resolves the one and is the other', async () => {
    const { db } = bed.engine;
    await putExpectedSchedule(db, {
      domain: 'finra',
      workflow: 'weekly',
      cadence: 'weekly',
      partitionTemplate: { week_ending: '{week_ending}', tier: ['OTC', 'NMS_TIER_1'] },
      requiredStages: ['INGESTED', 'NORMALIZED'],
      expectedDelayHours: 0,
      preliminaryHours: 0,
      active: true,
      description: null,
    });
    // Nothing whose time was over before anybody expected it.
    expect(await look()).toEqual({ late: 0, arrived: 0 });
    await bed.admin.query(`UPDATE expected_schedules SET created_at = now() - interval '14 days'`);
    const amend = defineTrigger({
      name: 'amend',
      source: { type: 'ledger', types: ['partition.arrived'], domain: 'finra' },
      paramMapping: { week_ending: '$.partition_key.week_ending', tier: '$.partition_key.tier' },
      work: { kind: 'task', name: 'echo' },
    });
    await createTrigger(db, amend, 'test');

    const friday = WeekEnding.fridayBefore(plainDateFromInstant(await databaseNow(db))).date;
    const present = { week_ending: friday, tier: 'OTC' };
    await reach(present, 'INGESTED');
    await reach(present, 'NORMALIZED');
    const partly = { week_ending: friday, tier: 'NMS_TIER_1' };
    await reach(partly, 'INGESTED');

    const looks = await Promise.all([look(), look(), look()]);
    const late = looks.reduce((sum, each) => sum + each.late, 0);
    const found = await anomalies();
    expect(found).toHaveLength(late);
    expect(late).toBeGreaterThanOrEqual(3);
    expect(found.map(({ partition_key: key }) => key)).not.toContain(
      JSON.stringify({ tier: 'OTC', week_ending: friday }),
    );
    expect(found.every(({ severity, resolved }) => severity === 'ERROR' && !resolved)).toBe(true);
    expect(await look()).toEqual({ late: 0, arrived: 0 });

    await reach(partly, 'NORMALIZED');
    expect(await look()).toEqual({ late: 0, arrived: 1 });
    expect(await look()).toEqual({ late: 0, arrived: 0 });
    expect((await anomalies()).filter(({ resolved }) => resolved)).toHaveLength(1);
    const { deliveries } = await new EventRouter(bed.engine).routeOpen();
    expect(deliveries.filter(({ status }) => status === 'ACCEPTED')).toHaveLength(1);
    const runs = await bed.admin.query<{ params: unknown }>(`SELECT params FROM runs`);
    expect(runs.rows).toEqual([{ params: partly }]);
    const types = await bed.admin.query<{ event_type: string; n: number }>(
      `SELECT event_type, count(*)::int AS n FROM inbound_events GROUP BY 1 ORDER BY 1`,
    );
    expect(types.rows).toEqual([
      { event_type: 'partition.arrived', n: 1 },
      { event_type: 'partition.late', n: late },
    ]);
  });
});

describe('with thousands of late partitions', () => {
  it('those that have not come, and whether one is known, are found by index', async () => {
    await bed.admin
      .query(`INSERT INTO late_partitions (domain, workflow, partition_key, expected_at, anomaly_id, detected_at,
        arrived_at)
      SELECT 'other', 'w' || i % 20, json_build_object('day', i)::text, now() - interval '1 day', gen_random_uuid(), now(),
        CASE WHEN i % 50 > 0 THEN now() END FROM generate_series(1, 20000) AS i`);
    await bed.admin
      .query(`INSERT INTO manifest (domain, partition_key, stage, stage_rank, row_count, metrics, run_id)
      SELECT 'other', json_build_object('day', i)::text, 'INGESTED', 1, 1, '{}', gen_random_uuid()
      FROM generate_series(1, 20000) AS i`);
    await bed.admin.query('ANALYZE late_partitions; ANALYZE manifest');
    const watched = watchedDb(bed.databaseUrl);
    const schedule = { domain: 'other', workflow: 'w1' };
    const keys = [{ day: '1' }, { day: '2' }];
    try {
      const open = await watched.planOf((db) => openLatePartitions(db, schedule, 1_000, 'a'));
      expect(open).toMatchObject({ seqScans: [], indexes: ['late_partitions_open'] });
      const known = await watched.planOf((db) => knownLate(db, schedule, keys));
      expect(known).toMatchObject({ seqScans: [], indexes: ['late_partitions_pkey'] });
      const there = await watched.planOf((db) => completePartitions(db, 'other', keys, ['INGESTED']));
      expect(there.seqScans).toEqual([]);
    } finally {
      await watched.close();
    }
  });

  it('come once, however many find them', async () => {
    const open = await openLatePartitions(bed.engine.db, { domain: 'finra', workflow: 'weekly' }, 10);
    const first = open[0];
    if (first === undefined) throw new Error('nothing is late');
    const page = await listExpectedSchedules(bed.engine.db, { active: true }, { limit: 1, offset: 0 });
    const schedule = page.items[0];
    if (schedule === undefined) throw new Error('there is no schedule');
    const arrivals = await Promise.all([1, 2, 3].map(() => recordArrival(bed.engine.db, schedule, first)));
    expect(arrivals.filter(Boolean)).toHaveLength(1);
  });
});
