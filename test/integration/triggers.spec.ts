/** Events that start runs: routing, each source over its real server, and crashes in between. */
import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appendInboundEvents, asQueryable, deleteRoutedEvents, OPEN_SQL } from '@spine/database';
import type { NewInboundEvent, TriggerRecord } from '@spine/database';
import { taskSpec } from '@spine/execution';
import type { Ticker } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import {
  createEventRouter,
  createFileSource,
  createPostgresSource,
  createRedisSource,
  createRunEventSource,
  defineTrigger,
  EventRouter,
  globMatcher,
  LockManager,
} from '@spine/scheduling';
import type { TriggerInput } from '@spine/scheduling';
import { testRedisUrl, waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { planOf } from './plan-support.ts';
import { deliveriesOf, triggerMaker } from './triggers-support.ts';
import type { Delivered, MakeTrigger } from './triggers-support.ts';

let bed: Bed;
let router: EventRouter;
let locks: LockManager;
let trigger: MakeTrigger;
const started: Ticker[] = [];
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
  router = new EventRouter(bed.engine);
  trigger = triggerMaker(bed);
  locks = new LockManager({ db: bed.engine.db, owner: 'test' });
});
afterAll(async () => {
  await Promise.all(started.map((ticker) => ticker.stop()));
  await bed.close();
});

const logger = silentLogger();
const event = (channel: string, eventId: string, data: unknown = {}): NewInboundEvent => ({
  source: 'redis',
  channel,
  eventId,
  eventType: 'test',
  data: JSON.stringify(data),
});
const append = (...events: NewInboundEvent[]): Promise<number> =>
  appendInboundEvents(bed.engine.pool, events);

const deliveries = (of: TriggerRecord): Promise<Delivered[]> => deliveriesOf(bed, of);

const run = (ticker: Ticker): void => {
  started.push(ticker);
  ticker.start();
};

describe('the router', () => {
  it('starts a run with mapped params, for each trigger of the channel', async () => {
    const one = await trigger(
      { type: 'redis', channel: 'files' },
      {
        paramMapping: { path: '$.file.path', event: '$event.id' },
        work: { kind: 'task', name: 'echo', params: { fixed: 1 }, lane: 'slow' },
      },
    );
    const two = await trigger({ type: 'redis', channel: 'files' }, { filter: 'event.data.file.size > 10' });
    await append(event('files', 'e1', { file: { path: 'a.csv', size: 5 } }));
    await append(event('files', 'e2', { file: { path: 'b.csv', size: 50 } }), event('other', 'e3'));
    const { more } = await router.routeOpen();
    expect(more).toBe(false);
    expect((await deliveries(one)).map(({ params }) => params)).toEqual([
      { fixed: 1, path: 'a.csv', event: 'e1' },
      { fixed: 1, path: 'b.csv', event: 'e2' },
    ]);
    expect((await deliveries(two)).map(({ status }) => status)).toEqual(['FILTERED', 'ACCEPTED']);
  });

  it('says why an event was rejected, and goes on', async () => {
    const channel = 'rejects';
    const mapped = await trigger({ type: 'redis', channel }, { paramMapping: { path: '$.path' } });
    const filtered = await trigger({ type: 'redis', channel }, { filter: 'event.data.size > 10' });
    const refused = await trigger(
      { type: 'redis', channel },
      { work: { kind: 'task', name: 'sleep' }, paramMapping: { seconds: '$.seconds' } },
    );
    const sound = await trigger({ type: 'redis', channel });
    await append(event(channel, 'e1', { seconds: 'soon' }));
    await router.routeOpen();
    expect((await deliveries(mapped))[0]?.reason).toBe('param_mapping.path: nothing is at $.path');
    expect((await deliveries(filtered))[0]?.reason).toBe('filter: No such key: size');
    expect((await deliveries(refused))[0]).toMatchObject({ status: 'REJECTED' });
    expect((await deliveries(sound))[0]).toMatchObject({ status: 'ACCEPTED' });
  });

  it('starts one run however often an event comes and however many route it', async () => {
    const channel = 'many';
    const one = await trigger({ type: 'redis', channel });
    const events = Array.from({ length: 60 }, (_, index) => event(channel, `e${index % 30}`));
    const appended = await Promise.all(events.map((each) => append(each)));
    expect(appended.filter((fresh) => fresh === 1)).toHaveLength(30);
    await Promise.all(Array.from({ length: 5 }, () => router.routeOpen(10)));
    await router.routeOpen();
    expect(await deliveries(one)).toHaveLength(30);
    // As if the mark had been lost.
    await bed.admin.query('UPDATE inbound_events SET routed_at = NULL WHERE channel = $1', [channel]);
    expect((await router.routeOpen()).deliveries).toEqual([]);
    const { rows } = await bed.admin.query(`SELECT 1 FROM runs WHERE metadata->>'trigger_id' = $1`, [
      one.triggerId,
    ]);
    expect(rows).toHaveLength(30);
  });

  it('leaves the event open when it cannot commit', async () => {
    const channel = 'crash';
    const one = await trigger({ type: 'redis', channel });
    await append(event(channel, 'e1'));
    await bed.admin.query(`CREATE FUNCTION no_marks() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no marks'; END $$;
      CREATE TRIGGER no_marks BEFORE UPDATE ON inbound_events FOR EACH ROW EXECUTE FUNCTION no_marks()`);
    await expect(router.routeOpen()).rejects.toThrow('no marks');
    await bed.admin.query('DROP FUNCTION no_marks CASCADE');
    expect(await deliveries(one)).toEqual([]);
    await router.routeOpen();
    expect(await deliveries(one)).toHaveLength(1);
  });

  it('finds what is open by its index, with 50,000 events that were routed', async () => {
    await bed.admin.query(`INSERT INTO inbound_events (source, channel, event_id, event_type, data, routed_at)
      SELECT 'redis', 'past', i::text, 'test', '{}', now() - interval '30 days' FROM generate_series(1, 50000) AS i`);
    await bed.admin.query('ANALYZE inbound_events');
    for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
      const plan = await planOf(bed.admin, mode, { text: OPEN_SQL, values: [100] });
      expect(plan).toMatchObject({ seqScans: [], indexes: ['inbound_events_open'] });
    }
    expect(await deleteRoutedEvents(bed.engine.pool, 7)).toBe(1_000);
  });
});

describe('a table as a source', () => {
  it('starts runs for changes that commit, and none for those that do not', async () => {
    await bed.admin.query(`CREATE TABLE companies (id int PRIMARY KEY, name text);
      CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON companies FOR EACH ROW EXECUTE FUNCTION spine_capture_change()`);
    const changed = await trigger(
      { type: 'table', table: 'public.companies', operations: ['insert', 'update'] },
      { paramMapping: { id: '$.new.id', name: '$.new.name' } },
    );
    await bed.admin.query(`INSERT INTO companies VALUES (1, 'One')`);
    await bed.admin.query(`BEGIN; INSERT INTO companies VALUES (2, 'Two'); ROLLBACK`);
    await bed.admin.query(`UPDATE companies SET name = 'Uno' WHERE id = 1`);
    await bed.admin.query('DELETE FROM companies');
    await router.routeOpen();
    expect((await deliveries(changed)).map(({ status, params }) => [status, params])).toEqual([
      ['ACCEPTED', { id: 1, name: 'One' }],
      ['ACCEPTED', { id: 1, name: 'Uno' }],
      ['FILTERED', null],
    ]);
  });
});

describe('NOTIFY as a source', () => {
  it('is heard by one of two schedulers', async () => {
    const heard = await trigger({ type: 'postgres', channel: 'prices' }, { paramMapping: { n: '$.n' } });
    const source = (owner: string): Ticker => {
      const mine = new LockManager({ db: bed.engine.db, owner });
      const lease = mine.lease('source:postgres', 10_000);
      return createPostgresSource({
        db: bed.engine.db,
        connectionString: bed.databaseUrl,
        locks: mine,
        lease,
        logger,
        everyMs: 20,
      });
    };
    const [first, second] = [source('a'), source('b')];
    first.start();
    second.start();
    const listening = async (): Promise<number> => {
      const { rows } = await bed.admin.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'spine-trigger-source' AND query LIKE 'LISTEN%'`,
      );
      return rows[0]?.n ?? 0;
    };
    await waitFor(async () => (await listening()) === 1);
    await bed.admin.query(`SELECT pg_notify('prices', '{"n":1}')`);
    await bed.admin.query(
      `SELECT pg_notify('prices', '{"n":2,"id":"twice"}'), pg_notify('prices', '{"n":2, "id":"twice"}')`,
    );
    await waitFor(async () => {
      await router.routeOpen();
      return (await deliveries(heard)).length === 2;
    });
    // Nobody hears twice, and when one stops the other goes on.
    await first.stop();
    await waitFor(async () => (await listening()) === 1);
    await bed.admin.query(`SELECT pg_notify('prices', '{"n":3}')`);
    await waitFor(async () => {
      await router.routeOpen();
      return (await deliveries(heard)).length === 3;
    });
    await second.stop();
    expect(await listening()).toBe(0);
    expect((await deliveries(heard)).map(({ params }) => params)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });
});

describe('a Redis channel as a source', () => {
  it('starts a run for each message', async () => {
    const redisUrl = await testRedisUrl();
    const heard = await trigger(
      { type: 'redis', channel: 'spine-test.orders' },
      { paramMapping: { id: '$.order' } },
    );
    const lease = locks.lease('source:redis', 10_000);
    run(createRedisSource({ db: bed.engine.db, redisUrl, locks, lease, logger, everyMs: 20 }));
    const publisher = new Redis(redisUrl, { maxRetriesPerRequest: 1 });
    try {
      await waitFor(async () => (await publisher.publish('spine-test.orders', '{"order":1}')) === 1);
      await publisher.publish('spine-test.orders', '{"order":2}');
      await publisher.publish('spine-test.orders', 'no json');
      await waitFor(async () => {
        await router.routeOpen();
        return (await deliveries(heard)).length === 3;
      });
    } finally {
      publisher.disconnect();
    }
    expect((await deliveries(heard)).map(({ status, params }) => [status, params])).toEqual([
      ['ACCEPTED', { id: 1 }],
      ['ACCEPTED', { id: 2 }],
      ['REJECTED', null],
    ]);
  });
});

describe('files as a source', () => {
  it('start a run once they are not written any more, each version once, whoever looks', async () => {
    const root = await mkdtemp(join(tmpdir(), 'spine-files-'));
    try {
      await mkdir(join(root, 'in'));
      await writeFile(join(root, 'secret.csv'), 'x');
      const found = await trigger(
        { type: 'file', folder: 'in', pattern: '*.csv' },
        { paramMapping: { file_path: '$.path', size: '$.size' } },
      );
      const sources = [0, 1].map(() =>
        createFileSource({ db: bed.engine.db, dataRoots: [root], logger, everyMs: 15 }),
      );
      for (const source of sources) run(source);
      await writeFile(join(root, 'in', 'week.csv'), 'one');
      await writeFile(join(root, 'in', 'notes.txt'), 'no');
      await symlink(join(root, 'secret.csv'), join(root, 'in', 'link.csv'));
      const routed = (count: number) =>
        waitFor(async () => {
          await router.routeOpen();
          return (await deliveries(found)).length === count;
        });
      await routed(1);
      await writeFile(join(root, 'in', 'week.csv'), 'one and two');
      await routed(2);
      await Promise.all(sources.map((source) => source.stop()));
      expect((await deliveries(found)).map(({ params }) => params)).toEqual([
        { file_path: 'in/week.csv', size: 3 },
        { file_path: 'in/week.csv', size: 11 },
      ]);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it.each([
    ['*.csv', 'a.csv', true],
    ['*.csv', 'a.csv.part', false],
    ['finra_*_2025????.csv', 'finra_otc_20251215.csv', true],
    ['finra_*_2025????.csv', 'finra_otc_2025121.csv', false],
    ['*', '', true],
    ['a*b*c', 'aXbYbZc', true],
    [`${'*a'.repeat(40)}b`, 'a'.repeat(250), false],
  ])('match %s on %s: %s', (pattern, name, expected) => {
    expect(globMatcher(pattern)(name)).toBe(expected);
  });
});

describe('runs that end as a source', () => {
  it('start runs, whose own ends do so at most a few times in a chain', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    run(createRunEventSource({ db: bed.engine.db, logger, everyMs: 20 }));
    await waitFor(async () => {
      const { rows } = await bed.admin.query('SELECT 1 FROM source_cursors');
      return rows.length === 1;
    });
    const chained = await trigger(
      { type: 'run_event', types: ['run.completed'], kind: 'task', name: 'echo' },
      {
        filter: `event.data.lane == "${lane}"`,
        paramMapping: { of: '$.run_id', week: '$.params.week' },
        work: { kind: 'task', name: 'echo', lane, params: { week: 'x' } },
      },
    );
    run(createEventRouter({ ...bed.engine, everyMs: 20 }));
    await bed.submit({ ...taskSpec('echo', { week: '2025-12-12' }), lane });
    await waitFor(async () => (await deliveries(chained)).some(({ status }) => status === 'REJECTED'), {
      message: 'the chain ends',
    });
    const made = await deliveries(chained);
    expect(made.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 8 }, () => 'ACCEPTED'),
      'REJECTED',
    ]);
    expect(made.at(-1)?.reason).toContain('chain');
    expect(made[0]?.params).toMatchObject({ week: '2025-12-12' });
    expect(made.map(({ metadata }) => metadata?.trigger_depth ?? null)).toEqual([
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      null,
    ]);
  });
});

describe('what cannot be a trigger is refused field by field', () => {
  it.each<[Partial<TriggerInput>, RegExp]>([
    [
      { source: { type: 'webhook', secretRef: 'hunter2' } },
      /^source\.secret_ref: is not a reference(?!.*hunter2)/,
    ],
    [
      { source: { type: 'postgres', channel: 'spine_control' } },
      /source\.channel: channels that begin with spine_/,
    ],
    [{ source: { type: 'postgres', channel: 'a; DROP TABLE runs' } }, /source\.channel/],
    [{ source: { type: 'table', table: 'companies' } }, /source\.table/],
    [{ source: { type: 'file', folder: '../etc' } }, /source\.folder/],
    [{ source: { type: 'file', folder: '/etc' } }, /source\.folder/],
    [{ filter: 'event.data.x = 1' }, /^filter: is not an expression/],
    [{ filter: 'event.data.x.matches("a")' }, /^filter: uses matches/],
    [{ paramMapping: { x: 'data.x' } }, /^param_mapping\.x: .* is not a path/],
    [{ work: { kind: 'step', name: 'echo' } }, /^target_type: steps belong to workflows/],
    [{ work: { kind: 'task', name: 'echo', idempotency_key: 'k' } }, /^idempotency_key:/],
  ])('%j', (more, message) => {
    const input: TriggerInput = {
      name: 'x',
      source: { type: 'redis', channel: 'c' },
      work: { kind: 'task', name: 'echo' },
      ...more,
    };
    expect(() => defineTrigger(input)).toThrowError(message);
  });
});

describe('events appended in a transaction', () => {
  it('are there with it or not at all', async () => {
    const before = await bed.admin.query('SELECT 1 FROM inbound_events WHERE channel = $1', ['tx']);
    await bed.engine.db
      .transaction()
      .execute(async (trx) => {
        await appendInboundEvents(asQueryable(trx), [event('tx', 'e1')]);
        throw new Error('no');
      })
      .catch(() => undefined);
    const after = await bed.admin.query('SELECT 1 FROM inbound_events WHERE channel = $1', ['tx']);
    expect([before.rowCount, after.rowCount]).toEqual([0, 0]);
  });
});
