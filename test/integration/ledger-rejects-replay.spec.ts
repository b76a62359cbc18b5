/** Rejects are work that can be done again, whatever happens on the way: closed once, stored once. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TransientError } from '@spine/core';
import { listRejects, repairsOf, writeRejects } from '@spine/database';
import type { RejectFilter, StoredReject } from '@spine/database';
import { operationSpec, registerLedgerOperations, REPLAY_REJECTS } from '@spine/execution';
import type { WorkSpec } from '@spine/execution';
import { testRedisUrl } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import {
  createReplayedTable,
  goodRows,
  REJECTS_DOMAIN,
  rejectsOf,
  RULES,
  stateOf,
  testReplayer,
} from './ledger-rejects-support.ts';
import type { PageHook, TestReplayer } from './ledger-rejects-support.ts';

/** What happens on the way, by stage; each test sets its own. */
const hooks = new Map<string, PageHook>();
const stages = Array.from({ length: 12 }, (_, index) => `STAGE_${index}`);
const replayers = new Map<string, TestReplayer>(
  stages.map((stage) => [
    stage,
    testReplayer(stage, (page, when, trx) => hooks.get(stage)?.(page, when, trx)),
  ]),
);

let bed: Bed;
let redisUrl: string;
let lane: string;
beforeAll(async () => {
  redisUrl = await testRedisUrl();
  bed = await openBed({
    queue: 'postgres',
    // One queue for this process and the one that is killed.
    engine: { redisUrl },
    register: (registry) =>
      registerLedgerOperations(registry, { replayers: [...replayers.values()], rejectsPerPage: 2 }),
  });
  await createReplayedTable(bed.admin);
  lane = bed.newLane();
  await bed.startWorker(lane);
});
afterAll(() => bed.close());

const free = [...stages];
/** A stage nobody else uses, with these rows refused. */
async function refused(
  raws: readonly string[],
  hook?: PageHook,
): Promise<{ stage: string; replayer: TestReplayer }> {
  const stage = free.shift();
  const replayer = stage === undefined ? undefined : replayers.get(stage);
  if (stage === undefined || replayer === undefined) throw new Error('more stages are needed');
  if (hook !== undefined) hooks.set(stage, hook);
  await writeRejects(bed.engine.db, rejectsOf(stage, raws));
  return { stage, replayer };
}

function replayOf(params: Readonly<Record<string, unknown>>, options: Partial<WorkSpec> = {}): WorkSpec {
  const all = { domain: REJECTS_DOMAIN, ...params };
  return operationSpec(REPLAY_REJECTS, all, { lane, retryDelaySeconds: 0, ...options });
}

async function replay(params: Readonly<Record<string, unknown>>) {
  const runId = await bed.submit(replayOf(params));
  return { runId, run: await bed.reach(runId, 'completed') };
}

async function rejects(filter: RejectFilter): Promise<readonly StoredReject[]> {
  const page = await listRejects(bed.engine.db, { domain: REJECTS_DOMAIN, ...filter }, { limit: 100 });
  return page.items.toReversed();
}

describe('a replay', () => {
  it('stores what passes now, closes it, and says why the rest is refused still', async () => {
    const { stage } = await refused(['good 1', 'bad 2', 'known 3']);
    const { runId, run } = await replay({ stage });
    expect(run.result).toEqual({
      domain: REJECTS_DOMAIN,
      replayed: 3,
      repaired: 1,
      superseded: 1,
      still_rejected: 1,
      rule_versions: { [stage]: RULES },
      stages_without_replayer: [],
    });
    const [good, bad, known] = await rejects({ stage });
    expect([good?.closedAt, bad?.closedAt, known?.closedAt]).toEqual([
      expect.any(Date),
      null,
      expect.any(Date),
    ]);
    const repairs = await Promise.all(
      [good, bad, known].map((reject) => repairsOf(bed.engine.db, reject?.rejectId ?? '')),
    );
    const plain = { runId, ruleVersion: RULES, reasonCode: null, reasonDetail: null };
    expect(repairs).toMatchObject([
      [{ ...plain, outcome: 'repaired' }],
      [{ ...plain, outcome: 'still_rejected', reasonCode: 'STILL_BAD', reasonDetail: 'bad 2 is bad' }],
      [{ ...plain, outcome: 'superseded' }],
    ]);
    // The reject itself stays as it was refused.
    expect(bad).toMatchObject({ reasonCode: 'BAD_ROW', ruleVersion: 'rules-1', raw: 'bad 2' });
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 3, closed: 2, wrong: 0 });
  });

  it('done twice closes nothing twice, and judges again only what is open', async () => {
    const { stage, replayer } = await refused(['good 1', 'good 2', 'bad 3']);
    await replay({ stage });
    const { run } = await replay({ stage });
    expect(run.result).toMatchObject({ replayed: 1, repaired: 0, superseded: 0, still_rejected: 1 });
    const [, , bad] = await rejects({ stage });
    expect(replayer.pages.at(-1)).toEqual([bad?.rejectId]);
    expect(await repairsOf(bed.engine.db, bad?.rejectId ?? '')).toHaveLength(2);
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 3, closed: 2, wrong: 0 });
  });

  it('takes exactly the rejects it was asked for', async () => {
    const { stage, replayer } = await refused(['good 1', 'good 2']);
    const other = { partitionKey: { no: 2 }, reasonCode: 'ODD_ROW', ruleVersion: 'rules-0' };
    await writeRejects(bed.engine.db, rejectsOf(stage, ['good 3'], other));
    const [one, two, three] = (await rejects({ stage })).map(({ rejectId }) => rejectId);
    const judged = async (params: Readonly<Record<string, unknown>>) => {
      const before = replayer.pages.length;
      await replay({ stage, ...params });
      return replayer.pages.slice(before).flat();
    };
    expect(await judged({ partition_key: { no: 3 } })).toEqual([]);
    expect(await judged({ reason_code: 'BAD_ROW', reject_ids: [three] })).toEqual([]);
    expect(await judged({ reject_ids: [two] })).toEqual([two]);
    expect(
      await judged({ rule_version: 'rules-0', partition_key: { no: 2 }, reason_code: 'ODD_ROW' }),
    ).toEqual([three]);
    expect(await judged({})).toEqual([one]);
  });

  it('has an end: what is refused meanwhile is left to the next one', async () => {
    const { stage, replayer } = await refused(['bad 1', 'bad 2', 'bad 3']);
    hooks.set(stage, async (page, when) => {
      if (page === 1 && when === 'before')
        await writeRejects(bed.engine.db, rejectsOf(stage, ['bad 4, later']));
    });
    const { run } = await replay({ stage });
    expect(run.result).toMatchObject({ replayed: 3 });
    expect(replayer.pages.map((page) => page.length)).toEqual([2, 1]);
  });

  it('of a whole domain tells of stages it cannot replay', async () => {
    await writeRejects(bed.engine.db, rejectsOf('FORGOTTEN', ['good 1']));
    const { run } = await replay({ reason_code: 'NO_SUCH_REASON' });
    expect(run.result).toMatchObject({ replayed: 0, stages_without_replayer: ['FORGOTTEN'] });
  });

  it.each([
    [{ domain: 'nobody' }, `domain: "nobody" has no reject replayer; allowed are ${REJECTS_DOMAIN}`],
    [{ stage: 'FORGOTTEN' }, `stage: "FORGOTTEN" has no reject replayer; allowed are ${stages.join(', ')}`],
  ])('of what nothing can replay is refused for good: %j', async (params, message) => {
    const runId = await bed.submit(replayOf(params));
    const run = await bed.reach(runId, 'dead_lettered');
    expect(run).toMatchObject({ attempt: 1, error: { type: 'ValidationError', message } });
  });

  it.each([
    [{ domain: '' }, 'params.domain'],
    [{ reason_code: 'lower' }, 'params.reason_code'],
    [{ reject_ids: ['0'] }, 'params.reject_ids[0]'],
    [{ reject_ids: ['1; DROP TABLE rejects'] }, 'params.reject_ids[0]'],
    [{ partition_key: { a: null } }, 'params.partition_key.a'],
    [{ unknown: 1 }, 'params.unknown'],
  ])('is refused at the door with %j', async (params, field) => {
    const outcome = await bed.engine.dispatcher.submit(replayOf(params));
    expect(outcome).toMatchObject({ type: 'invalid', issues: [{ field }] });
  });
});

describe('a replay that ends between its pages', () => {
  it('by a failure goes on with the next attempt where it was', async () => {
    const { stage, replayer } = await refused(goodRows(5), (page, when) => {
      if (page === 2 && when === 'after') throw new TransientError('the disk was full');
    });
    const { run } = await replay({ stage });
    expect(run).toMatchObject({ attempt: 2, result: { replayed: 5, repaired: 5 } });
    const [first, second] = replayer.pages;
    // The first page was kept, the second was rolled back and judged again.
    expect(replayer.pages).toEqual([first, second, second, [(await rejects({ stage })).at(-1)?.rejectId]]);
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 5, closed: 5, wrong: 0 });
  });

  it('by a broken connection does, too', async () => {
    const { stage } = await refused(goodRows(5), async (page, when, trx) => {
      if (page !== 2 || when !== 'after') return;
      const { pid } = await trx
        .selectNoFrom(({ fn }) => fn<number>('pg_backend_pid', []).as('pid'))
        .executeTakeFirstOrThrow();
      await bed.admin.query('SELECT pg_terminate_backend($1)', [pid]);
    });
    const { run } = await replay({ stage });
    expect(run).toMatchObject({ attempt: 2, result: { replayed: 5, repaired: 5 } });
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 5, closed: 5, wrong: 0 });
  });

  it('by a cancel leaves whole pages, and another replay does the rest', async () => {
    let runId = '';
    const { stage } = await refused(goodRows(5), async (page, when) => {
      if (page === 2 && when === 'after') await bed.engine.dispatcher.cancel(runId);
    });
    const spec = replayOf({ stage });
    runId = await bed.submit({ ...spec, runAfter: new Date(Date.now() + 3_600_000) });
    await bed.admin.query(`UPDATE runs SET available_at = now(), dispatch_after = now() WHERE id = $1`, [
      runId,
    ]);
    await bed.reach(runId, 'cancelled');
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 5, closed: 2, wrong: 0 });
    const { run } = await replay({ stage });
    expect(run.result).toMatchObject({ replayed: 3, repaired: 3 });
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 5, closed: 5, wrong: 0 });
  });

  it('by kill -9, with the rows of a page stored, leaves whole pages to the next worker', async () => {
    const { stage } = await refused(goodRows(5));
    const own = bed.newLane();
    const runId = await bed.submit(replayOf({ stage }, { lane: own }));
    const program = join(import.meta.dirname, '../e2e/programs/replaying-worker.ts');
    const child = fork(program, [bed.databaseUrl, redisUrl, own, stage, '2'], {
      execArgv: ['--conditions=@spine/source'],
    });
    const exited = once(child, 'exit');
    try {
      const told = once(child, 'message', { signal: AbortSignal.timeout(25_000) });
      expect((await Promise.race([told, exited]))[0]).toEqual({ page: 2 });
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 5, closed: 2, wrong: 0 });
    await bed.startWorker(own);
    const run = await bed.reach(runId, 'completed');
    expect(run).toMatchObject({ crashCount: 1, result: { replayed: 5, repaired: 5 } });
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 5, closed: 5, wrong: 0 });
  });
});

describe('two replays at once', () => {
  it('share the rejects: each is closed by one of them', async () => {
    const { stage } = await refused(goodRows(9));
    const runIds = await Promise.all([bed.submit(replayOf({ stage })), bed.submit(replayOf({ stage }))]);
    const runs = await Promise.all(runIds.map((runId) => bed.reach(runId, 'completed')));
    expect(runs.map((run) => run.attempt)).toEqual([1, 1]);
    const replayed = runs.map((run) => (run.result as { replayed: number }).replayed);
    expect(replayed.reduce((sum, count) => sum + count, 0)).toBe(9);
    expect(await stateOf(bed.admin, stage)).toEqual({ rejects: 9, closed: 9, wrong: 0 });
  });
});
