/** The gauges of lanes, dead letters, workflows and dependencies, from a real Postgres. How the counts find their rows: engine-stats-plans.spec.ts. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createPool, INBOX_DEPTH_SQL, pauseLane, registerWorker, workflowInboxDepth } from '@spine/database';
import type { Queryable } from '@spine/database';
import { createDependencyWatch, createQueueMetrics, MemoryHintQueue } from '@spine/execution';
import type { HintQueue } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import {
  claim,
  ERROR,
  openEngineDatabase,
  runOf,
  settle,
  shift,
  store,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { planOf } from './plan-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
beforeEach(async () => {
  await base.clear();
  await base.admin.query('TRUNCATE lanes, workflow_inbox');
});
afterAll(() => base.close());

/** One round of the service: every series of a gauge by its labels. */
async function measured(
  lanes: readonly string[],
): Promise<(name: string, labels?: string) => number | undefined> {
  const metrics = new Metrics('test');
  const service = createQueueMetrics({
    db: base.db,
    logger: silentLogger(),
    metrics,
    lanes,
    everyMs: 3_600_000,
  });
  service.start();
  await waitFor(async () =>
    (await metrics.registry.getSingleMetricAsString('spine_lane_runs')).includes('other'),
  );
  await service.stop();
  const text = await metrics.registry.metrics();
  return (name, labels = '') => {
    const wanted = `${name}{${labels}${labels === '' ? '' : ','}service="test"} `;
    const line = text.split('\n').find((each) => each.startsWith(wanted));
    return line === undefined ? undefined : Number(line.slice(wanted.length));
  };
}

describe('the gauges', () => {
  it('say what waits, is due, runs, and for how long, lane by lane', async () => {
    const waiting = await storeMany(base.pool, 5, { lane: 'a' });
    await store(base.pool, [runOf({ lane: 'a', runAfter: new Date(Date.now() + 3_600_000) })]);
    await claim(base.pool, waiting.slice(0, 2));
    await shift(base.admin, waiting.slice(2), 'available_at', '-90 seconds');
    await storeMany(base.pool, 3, { lane: 'stranger' });
    await pauseLane(base.pool, 'a', 'ops', null);
    const gauge = await measured(['a', 'b']);
    expect(gauge('spine_lane_runs', 'lane="a",state="waiting"')).toBe(4);
    expect(gauge('spine_lane_runs', 'lane="a",state="due"')).toBe(3);
    expect(gauge('spine_lane_runs', 'lane="a",state="running"')).toBe(2);
    expect(gauge('spine_lane_oldest_due_seconds', 'lane="a"')).toBeGreaterThanOrEqual(90);
    expect(gauge('spine_lane_paused', 'lane="a"')).toBe(1);
    expect(gauge('spine_lane_runs', 'lane="b",state="waiting"')).toBe(0);
    expect(gauge('spine_lane_paused', 'lane="b"')).toBe(0);
    expect(gauge('spine_lane_runs', 'lane="other",state="waiting"')).toBe(3);
    expect(gauge('spine_lane_runs', 'lane="stranger",state="waiting"')).toBeUndefined();
  });

  it('name the lanes that a live worker serves', async () => {
    const worker = { hostname: 'h', pid: 1, version: '0', handlers: [], slots: 3 };
    await registerWorker(base.pool, { ...worker, workerId: newId(), lanes: ['fast', 'slow'] });
    await registerWorker(base.pool, { ...worker, workerId: newId(), lanes: ['fast'] });
    const gauge = await measured([]);
    expect(gauge('spine_lane_workers', 'lane="fast"')).toBe(2);
    expect(gauge('spine_lane_workers', 'lane="slow"')).toBe(1);
  });

  it('count the dead letters that nobody has closed', async () => {
    const ids = await storeMany(base.pool, 3);
    for (const run of await claim(base.pool, ids)) {
      await settle(base.pool, run, { type: 'dead_lettered', error: ERROR });
    }
    await base.admin.query(
      `UPDATE dead_letters SET resolved_at = now(), resolution = 'resolved', resolved_by = 'ops' WHERE run_id = $1`,
      [ids[0]],
    );
    expect((await measured([]))('spine_dead_letters_pending')).toBe(2);
  });

  it('say what workflows have to be told, and how long it has been due', async () => {
    const gauge = await measured([]);
    expect(gauge('spine_workflow_inbox_due')).toBe(0);
    expect(gauge('spine_workflow_inbox_oldest_seconds')).toBe(0);
    await base.admin.query(
      `INSERT INTO workflow_inbox (workflow_run_id, event, due_at) SELECT $1::uuid, '{}', now() + t.due
       FROM unnest(ARRAY['-120 seconds', '-1 second', '1 hour', 'infinity']::interval[]) AS t(due)`,
      [newId()],
    );
    const later = await measured([]);
    expect(later('spine_workflow_inbox_due')).toBe(2);
    expect(later('spine_workflow_inbox_oldest_seconds')).toBeGreaterThanOrEqual(120);
  });

  it('find what workflows have to be told in the index, stop at 10,000, and do not sort', async () => {
    await base.admin.query(
      `INSERT INTO workflow_inbox (workflow_run_id, event, due_at)
       SELECT gen_random_uuid(), '{}', now() - n * interval '1 millisecond' FROM generate_series(1, 12000) AS n`,
    );
    await base.admin.query('ANALYZE workflow_inbox');
    expect(await workflowInboxDepth(base.db)).toMatchObject({ due: 10_000 });
    const plan = await planOf(base.pool, 'force_generic_plan', { text: INBOX_DEPTH_SQL, values: [] });
    expect(plan.indexes).toEqual(['workflow_inbox_due']);
    expect(plan.seqScans).toEqual([]);
  });

  it('forget a lane that is gone', async () => {
    const metrics = new Metrics('test');
    const reading = { waiting: 1, due: 1, running: 0, oldestDueSeconds: 1, paused: false, workers: 1 };
    metrics.lanes.set([{ lane: 'old', ...reading }]);
    metrics.lanes.set([{ lane: 'new', ...reading }]);
    const text = await metrics.registry.metrics();
    expect(text).toContain('lane="new"');
    expect(text).not.toContain('lane="old"');
  });
});

describe('the watch of dependencies', () => {
  const silent: HintQueue = Object.assign(new MemoryHintQueue(), {
    check: () => new Promise<void>(() => undefined),
  });
  const deadPort = 'postgres://nobody@127.0.0.1:9/nothing';

  async function up(pool: Queryable, queue: HintQueue): Promise<Record<string, number>> {
    const metrics = new Metrics('test');
    const options = { pool, queue, metrics, logger: silentLogger(), everyMs: 3_600_000, answerMs: 200 };
    const service = createDependencyWatch(options);
    service.start();
    await service.stop();
    const { values } = await metrics.dependencyUp.get();
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels.dependency), value]));
  }

  it('says 1 for what answers, 0 for what is away and for what hangs', async () => {
    expect(await up(base.pool, new MemoryHintQueue())).toEqual({ postgres: 1, queue: 1 });
    const away = createPool({ connectionString: deadPort });
    expect(await up(away, silent)).toEqual({ postgres: 0, queue: 0 });
    await away.end();
  });
});
