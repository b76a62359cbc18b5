/** Triggers when folders vanish, connections break, others stand still or a trigger is paused. */
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  appendInboundEvents,
  cancelRunsIn,
  changeTrigger,
  createDb,
  createPool,
  deleteRoutedEvents,
  deliveryOf,
  listDeliveries,
  triggersOf,
} from '@spine/database';
import type { TriggerRecord } from '@spine/database';
import { newRunId } from '@spine/core';
import { taskSpec } from '@spine/execution';
import type { Ticker } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import {
  createFileSource,
  createPostgresSource,
  createRedisSource,
  createRunEventSource,
  EventRouter,
  LockManager,
} from '@spine/scheduling';
import { testRedisUrl, waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { planOf, sentBy, watchedDb } from './plan-support.ts';
import { deliveriesOf, triggerMaker } from './triggers-support.ts';
import type { Delivered, MakeTrigger } from './triggers-support.ts';

const INLINE_BYTES = 1_024;
const logger = silentLogger();

let bed: Bed;
let router: EventRouter;
let locks: LockManager;
let trigger: MakeTrigger;
const started: Ticker[] = [];
beforeAll(async () => {
  bed = await openBed({ queue: 'memory', engine: { payloads: { inlineBytes: INLINE_BYTES } } });
  router = new EventRouter(bed.engine);
  trigger = triggerMaker(bed);
  locks = new LockManager({ db: bed.engine.db, owner: 'test' });
});
afterAll(async () => {
  await Promise.all(started.map((ticker) => ticker.stop()));
  await bed.close();
});

const run = (ticker: Ticker): Ticker => {
  started.push(ticker);
  ticker.start();
  return ticker;
};

async function append(channel: string, eventId: string, data: unknown = {}): Promise<void> {
  const event = { source: 'redis', channel, eventId, eventType: 'test', data: JSON.stringify(data) } as const;
  await appendInboundEvents(bed.engine.pool, [event]);
}

const deliveries = (of: TriggerRecord): Promise<Delivered[]> => deliveriesOf(bed, of);

const delivered = (of: TriggerRecord, count: number): Promise<unknown> =>
  waitFor(async () => {
    await router.routeOpen();
    return (await deliveries(of)).length === count;
  });

describe('the router', () => {
  it('starts runs also while nobody can say who the workers are', async () => {
    const heard = await trigger(
      { type: 'redis', channel: 'away' },
      { work: { kind: 'task', name: 'nobody' } },
    );
    await append('away', 'e1');
    await bed.admin.query('ALTER TABLE workers RENAME TO workers_away');
    try {
      await router.routeOpen();
    } finally {
      await bed.admin.query('ALTER TABLE workers_away RENAME TO workers');
    }
    expect((await deliveries(heard)).map(({ status }) => status)).toEqual(['ACCEPTED']);
  });

  it('keeps params that are too large for a row outside of it', async () => {
    const paramMapping = { text: '$.text' };
    const heard = await trigger({ type: 'redis', channel: 'large' }, { paramMapping });
    const text = 'x'.repeat(INLINE_BYTES);
    await append('large', 'e1', { text });
    await router.routeOpen();
    const [delivery] = await deliveries(heard);
    const runId = delivery?.run_id ?? '';
    expect((await bed.engine.dispatcher.get(runId))?.paramsRef).not.toBeNull();
    expect((await bed.engine.dispatcher.read(runId))?.params).toEqual({ text });
  });

  it('starts nothing for a paused trigger, nor later for what it routed meanwhile', async () => {
    const heard = await trigger({ type: 'redis', channel: 'paused' });
    const change = (state: 'active' | 'paused', version: number) =>
      changeTrigger(bed.engine.db, heard.triggerId, version, { definition: heard, state });
    await append('paused', 'before');
    await router.routeOpen();
    await change('paused', 1);
    await append('paused', 'meanwhile');
    await router.routeOpen();
    await change('active', 2);
    await append('paused', 'after');
    await router.routeOpen();
    expect((await deliveries(heard)).map(({ event_id: id }) => id)).toEqual(['before', 'after']);
  });

  it('of several processes asked at once routes an event once, and all of them find its delivery', async () => {
    const heard = await trigger({ type: 'redis', channel: 'once' });
    await append('once', 'e1');
    const event = { source: 'redis', channel: 'once', eventId: 'e1' } as const;
    const routers = Array.from({ length: 4 }, () => new EventRouter(bed.engine));
    const found = await Promise.all(
      routers.map(async (each, index) => {
        await (index === 0 ? each.routeOpen() : each.routeOne(event));
        return index === 0 ? null : deliveryOf(bed.engine.pool, heard.triggerId, 'e1');
      }),
    );
    const [only] = await deliveries(heard);
    for (const delivery of found.slice(1)) expect(delivery?.runId).toBe(only?.run_id);
    const { rows } = await bed.admin.query(`SELECT 1 FROM runs WHERE metadata->>'trigger_id' = $1`, [
      heard.triggerId,
    ]);
    expect(rows).toHaveLength(1);
  });
});

describe('files as a source', () => {
  it('are found beside folders that are not there, vanish, or lead out of their root, and told of once', async () => {
    const base = await mkdtemp(join(tmpdir(), 'spine-files-'));
    try {
      const root = join(base, 'root');
      await mkdir(join(root, 'in'), { recursive: true });
      await mkdir(join(base, 'outside'));
      await writeFile(join(base, 'outside', 'secret.csv'), 'x');
      await symlink(join(base, 'outside'), join(root, 'link'));
      await writeFile(join(root, 'no-folder'), 'x');
      const paramMapping = { path: '$.path' };
      const watch = (folder: string) => trigger({ type: 'file', folder }, { paramMapping });
      const [missing, file, outside] = [
        await watch('a-missing'),
        await watch('no-folder'),
        await watch('link'),
      ];
      const found = await watch('in');
      run(createFileSource({ db: bed.engine.db, dataRoots: [root], logger, everyMs: 10 }));
      await writeFile(join(root, 'in', 'one.csv'), '1');
      await delivered(found, 1);
      await rename(join(root, 'in'), join(root, 'gone'));
      await mkdir(join(root, 'a-missing'));
      await writeFile(join(root, 'a-missing', 'two.csv'), '2');
      await delivered(missing, 1);
      await rename(join(root, 'gone'), join(root, 'in'));
      await writeFile(join(root, 'in', 'three.csv'), '3');
      await delivered(found, 2);
      expect([await deliveries(outside), await deliveries(file)]).toEqual([[], []]);
      expect((await deliveries(found)).map(({ params }) => params?.path)).toEqual([
        'in/one.csv',
        'in/three.csv',
      ]);

      // A look at what is known asks nothing of the database: a row that is tried again would take a number.
      const numbers = async (): Promise<number> => {
        const { rows } = await bed.admin.query<{ last_value: number }>(
          'SELECT last_value FROM inbound_events_event_seq_seq',
        );
        return Number(rows[0]?.last_value);
      };
      const before = await numbers();
      await writeFile(join(root, 'in', 'four.csv'), '4');
      await delivered(found, 3);
      expect(await numbers()).toBe(before + 1);
    } finally {
      await Promise.all(started.splice(0).map((ticker) => ticker.stop()));
      await rm(base, { recursive: true });
    }
  });
});

describe('a connection that breaks', () => {
  it('of NOTIFY is made again', async () => {
    const heard = await trigger({ type: 'postgres', channel: 'breaks' }, { paramMapping: { n: '$.n' } });
    const lease = locks.lease('source:postgres', 10_000);
    const connectionString = bed.databaseUrl;
    const source = createPostgresSource({
      db: bed.engine.db,
      connectionString,
      locks,
      lease,
      logger,
      everyMs: 20,
    });
    run(source);
    const pids = async (): Promise<readonly number[]> => {
      const { rows } = await bed.admin.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE application_name = 'spine-trigger-source' AND query LIKE 'LISTEN%'`,
      );
      return rows.map(({ pid }) => pid);
    };
    await waitFor(async () => (await pids()).length === 1);
    const [first] = await pids();
    await bed.admin.query('SELECT pg_terminate_backend($1)', [first]);
    await waitFor(async () => (await pids()).some((pid) => pid !== first));
    await bed.admin.query(`SELECT pg_notify('breaks', '{"n":1}')`);
    await delivered(heard, 1);
    await source.stop();
  });

  it('of Redis is made again', async () => {
    const redisUrl = await testRedisUrl();
    const channel = `spine-test.breaks-${newRunId()}`;
    const heard = await trigger({ type: 'redis', channel }, { paramMapping: { n: '$.n' } });
    const lease = locks.lease('source:redis', 10_000);
    const source = createRedisSource({ db: bed.engine.db, redisUrl, locks, lease, logger, everyMs: 20 });
    run(source);
    const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1 });
    const listeners = async (): Promise<readonly string[]> => {
      const list = String(await redis.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
      const ours = list.split('\n').filter((line) => line.includes('name=spine-trigger-source'));
      return ours.map((line) => /\bid=(\d+)/.exec(line)?.[1] ?? '');
    };
    try {
      const subscribed = async (): Promise<boolean> =>
        (await redis.publish(channel, '{"n":0,"id":"0"}')) === 1;
      await waitFor(subscribed);
      const broken = await listeners();
      for (const id of broken) await redis.call('CLIENT', 'KILL', 'ID', id);
      await waitFor(async () => (await listeners()).some((id) => !broken.includes(id)));
      await waitFor(subscribed);
      await redis.publish(channel, '{"n":1,"id":"1"}');
      await delivered(heard, 2);
    } finally {
      redis.disconnect();
      await source.stop();
    }
    expect((await deliveries(heard)).map(({ params }) => params?.n)).toEqual([0, 1]);
  });
});

describe('runs that end as a source', () => {
  it('wait for an older transaction that may still tell of one, and are all told then', async () => {
    const [lane, idle] = [bed.newLane(), bed.newLane()];
    await bed.startWorker(lane);
    const heard = await trigger(
      { type: 'run_event' },
      { filter: `event.data.lane in ["${lane}", "${idle}"]` },
    );
    const pool = createPool({ connectionString: bed.databaseUrl, applicationName: 'the-source', max: 1 });
    const db = createDb(pool);
    const writer = await bed.admin.connect();
    const source = run(createRunEventSource({ db, logger, everyMs: 5 }));
    try {
      const cursor = async (): Promise<number | null> => {
        const { rows } = await bed.admin.query<{ position: number }>('SELECT position FROM source_cursors');
        return rows[0]?.position ?? null;
      };
      /** Resolves once the source has asked the database so often. */
      const asked = async (often: number): Promise<void> => {
        const starts = new Set<string>();
        await waitFor(async () => {
          const { rows } = await bed.admin.query<{ at: string }>(
            `SELECT query_start::text AS at FROM pg_stat_activity WHERE application_name = 'the-source'`,
          );
          for (const { at } of rows) starts.add(at);
          return starts.size > often;
        });
      };
      await waitFor(async () => (await cursor()) !== null);
      const older = await bed.submit({ ...taskSpec('echo', {}), lane: idle });
      await writer.query('BEGIN');
      await cancelRunsIn(writer, [older], 'test', 'test');
      const runIds = await Promise.all(
        Array.from({ length: 20 }, () => bed.submit({ ...taskSpec('echo', {}), lane })),
      );
      await Promise.all(runIds.map((runId) => bed.reach(runId, 'completed')));
      await asked(20);
      await writer.query('COMMIT');
      await delivered(heard, 21);
      const told = (await deliveries(heard)).map(({ event_id: id }) => id);
      expect(new Set(told)).toEqual(new Set([older, ...runIds]));
    } finally {
      writer.release();
      await source.stop();
      await db.destroy();
    }
  });
});

describe('with thousands of events, deliveries and triggers', () => {
  it('everything is found by its index', async () => {
    const heard = await trigger({ type: 'redis', channel: 'many' });
    await bed.admin
      .query(`INSERT INTO event_triggers (trigger_id, name, state, source, channel, target_kind, target_name,
        work, created_by)
      SELECT gen_random_uuid(), 'other-' || i, 'active', 'redis', 'c' || i, 'task', 'echo', '{}', 'test'
      FROM generate_series(1, 1000) AS i`);
    await bed.admin
      .query(`INSERT INTO trigger_deliveries (trigger_id, event_id, event_type, status, received_at)
      SELECT trigger_id, 'e' || i, 'test', 'FILTERED', now() FROM event_triggers, generate_series(1, 10) AS i
      WHERE name LIKE 'other-%'`);
    await bed.admin.query(`INSERT INTO inbound_events (source, channel, event_id, event_type, data, routed_at)
      SELECT 'redis', 'past', i::text, 'test', '{}', now() - interval '1 day' FROM generate_series(1, 40000) AS i`);
    await bed.admin.query('ANALYZE event_triggers; ANALYZE trigger_deliveries; ANALYZE inbound_events');
    const events = [{ source: 'redis', channel: 'many' }] as const;
    for (const [send, index] of [
      [(on) => triggersOf(on, events), 'event_triggers_channel'],
      [(on) => deliveryOf(on, heard.triggerId, 'e1'), 'trigger_deliveries_once'],
      [(on) => deleteRoutedEvents(on, 7), 'inbound_events_routed'],
    ] as const satisfies readonly (readonly [Parameters<typeof sentBy>[0], string])[]) {
      const [statement] = await sentBy(send);
      if (statement === undefined) throw new Error('nothing was sent');
      const { seqScans, indexes } = await planOf(bed.admin, 'force_generic_plan', statement);
      expect(seqScans, index).toEqual([]);
      expect(indexes).toContain(index);
    }
    const watched = watchedDb(bed.databaseUrl);
    try {
      const { triggerId } = heard;
      const page = { limit: 50, before: 1_000_000 };
      const plan = await watched.planOf((db) => listDeliveries(db, { triggerId }, page));
      expect(plan).toMatchObject({ seqScans: [], indexes: ['trigger_deliveries_recent'] });
    } finally {
      await watched.close();
    }
  });
});
