/** The manager of dead letters, over a real engine: replays reach workers, and of two that want one letter one gets it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newId, OperationError, TimeoutError } from '@spine/core';
import { CRASH_LIMIT, getRun } from '@spine/database';
import type { DeadLetter } from '@spine/database';
import { DLQManager, taskSpec } from '@spine/execution';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { addPastRuns, DAY_MINUTES, resolvePast } from './history-support.ts';

let bed: Bed;
let letters: DLQManager;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
  letters = new DLQManager(bed.engine);
  await bed.startWorker('default');
});
beforeEach(async () => {
  // Whatever an earlier test left behind.
  await bed.admin.query('TRUNCATE runs, run_events, dead_letters');
});
afterAll(() => bed.close());

/** Runs work that fails while `broken`, and answers with the letters, oldest first. */
async function failing(count: number, more: Parameters<Bed['probe']>[2] = {}) {
  const state = { broken: true, ran: 0 };
  const spec = bed.probe(
    'default',
    () => {
      if (state.broken) throw new OperationError('broken');
      state.ran += 1;
      return 'mended';
    },
    more,
  );
  const runIds: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const runId = await bed.submit(spec);
    await bed.reach(runId, 'dead_lettered');
    runIds.push(runId);
  }
  const { deadLetters } = await letters.listPending({}, { limit: 1_000, offset: 0, order: 'oldest_first' });
  const own = deadLetters.filter(({ runId }) => runIds.includes(runId));
  expect(own.map(({ runId }) => runId)).toEqual(runIds);
  return { state, runIds, letters: own };
}

const idsOf = (found: readonly DeadLetter[]) => found.map(({ deadLetterId }) => deadLetterId);

async function retriesOf(runIds: readonly string[]): Promise<number> {
  const { rows } = await bed.admin.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM runs WHERE retry_of_run_id = ANY($1::uuid[])',
    [runIds],
  );
  return rows[0]?.n ?? -1;
}

describe('a bulk replay', () => {
  it('says in a dry run what it would do, and changes nothing', async () => {
    const { letters: failed, runIds } = await failing(2);
    const result = await letters.replayAll({}, { by: 'ops', dryRun: true });
    expect(result).toMatchObject({ matched: 2, matchedIsCapped: false });
    expect(result.items).toEqual(failed.map((deadLetter) => ({ type: 'would_replay', deadLetter })));
    expect(await retriesOf(runIds)).toBe(0);
    expect((await letters.stats()).pending).toBe(2);
  });

  it('runs the oldest first up to the limit, closes them, and leaves the rest', async () => {
    const { state, letters: failed, runIds } = await failing(3);
    state.broken = false;
    const result = await letters.replayAll({}, { by: 'ops', note: 'mended', limit: 2 });
    expect(result.matched).toBe(3);
    expect(idsOf(result.items.map(({ deadLetter }) => deadLetter))).toEqual(idsOf(failed.slice(0, 2)));
    for (const item of result.items) {
      if (item.type !== 'replayed') throw new Error(`${item.type} instead of replayed`);
      expect(item.deadLetter).toMatchObject({
        resolution: 'replayed',
        resolvedBy: 'ops',
        note: 'mended',
        replayRunId: item.runId,
      });
      const run = await bed.reach(item.runId, 'completed');
      expect(run).toMatchObject({ retryOfRunId: item.deadLetter.runId, triggerSource: 'replay' });
    }
    expect(idsOf((await letters.listPending()).deadLetters)).toEqual(idsOf(failed.slice(2)));
    expect(await retriesOf(runIds)).toBe(2);
  });

  it('runs the newest first when asked, and only what the filter names', async () => {
    const { letters: failed } = await failing(2);
    const [late] = (await letters.replayAll({}, { by: 'ops', limit: 1, order: 'newest_first', dryRun: true }))
      .items;
    expect(late?.deadLetter.deadLetterId).toBe(failed[1]?.deadLetterId);
    const matched = async (filter: Parameters<DLQManager['replayAll']>[0]) =>
      (await letters.replayAll(filter, { by: 'ops', dryRun: true })).matched;
    expect(await matched({ kind: 'task', name: 'probe', errorCategory: 'OPERATION' })).toBe(2);
    expect(await matched({ name: 'other' })).toBe(0);
    expect(await matched({ kind: 'operation' })).toBe(0);
    expect(await matched({ errorCategory: 'SOURCE' })).toBe(0);
    expect(await matched({ since: failed[1]?.createdAt ?? new Date(0) })).toBe(1);
    expect(await matched({ until: failed[1]?.createdAt ?? new Date(0) })).toBe(1);
  });

  it('shares letters with others that want them: each is run once', async () => {
    const { letters: failed, runIds, state } = await failing(6);
    state.broken = false;
    const [one, two, three, single] = await Promise.all([
      letters.replayAll({}, { by: 'one' }),
      letters.replayAll({}, { by: 'two', order: 'newest_first' }),
      bed.engine.dispatcher.retryAll({}, { by: 'three' }),
      letters.replay(failed[2]?.deadLetterId ?? '', 'four'),
    ]);
    const won = [
      ...one.items.filter(({ type }) => type === 'replayed'),
      ...two.items.filter(({ type }) => type === 'replayed'),
      ...three.items.filter(({ type }) => type === 'retried'),
      ...(single.type === 'replayed' ? [single] : []),
    ];
    expect(won).toHaveLength(6);
    expect(await retriesOf(runIds)).toBe(6);
    expect((await letters.stats()).pending).toBe(0);
    const again = await letters.replayAll({}, { by: 'late' });
    expect(again).toEqual({ matched: 0, matchedIsCapped: false, items: [] });
  });

  it('runs work with one singleton key as such work runs: the latest to come waits', async () => {
    const { letters: failed, state } = await failing(2, { singletonKey: `only-${newId()}` });
    state.broken = false;
    const result = await letters.replayAll({}, { by: 'ops' });
    const runIds = result.items.flatMap((item) => (item.type === 'replayed' ? [item.runId] : []));
    expect(runIds).toHaveLength(failed.length);
    await bed.reach(runIds[1] ?? '', 'completed');
    expect(['completed', 'cancelled']).toContain((await getRun(bed.engine.db, runIds[0] ?? ''))?.status);
  });
});

describe('a bulk replay of work with large params', () => {
  it('copies them, and says of what has lost them that it is still pending', async () => {
    const handled: number[] = [];
    let broken = true;
    bed.engine.registry.registerTask(
      'large',
      { description: 'Takes much.', params: z.object({ text: z.string() }) },
      ({ text }) => {
        if (broken) throw new OperationError('broken');
        handled.push(text.length);
      },
    );
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const submit = (length: number) => bed.submit(taskSpec('large', { text: 'x'.repeat(length) }, { lane }));
    const [small, kept, lost] = [await submit(1), await submit(200_000), await submit(300_000)];
    for (const runId of [small, kept, lost]) await bed.reach(runId, 'dead_lettered');
    await bed.admin.query('DELETE FROM run_payloads WHERE run_id = $1', [lost]);
    broken = false;
    const { items } = await letters.replayAll({}, { by: 'ops' });
    const byRun = new Map(items.map((item) => [item.deadLetter.runId, item]));
    expect(byRun.get(lost)?.type).toBe('params_gone');
    for (const runId of [small, kept]) {
      const item = byRun.get(runId);
      await bed.reach(item?.type === 'replayed' ? item.runId : '', 'completed');
    }
    expect(handled.sort()).toEqual([1, 200_000]);
    expect((await letters.listPending()).deadLetters.map(({ runId }) => runId)).toEqual([lost]);
    // Also when there is no other one; and asked for by itself it is a conflict that says why.
    expect((await letters.replayAll({}, { by: 'ops' })).items).toMatchObject([{ type: 'params_gone' }]);
    expect((await bed.engine.dispatcher.retryAll({}, { by: 'ops' })).items).toEqual([
      { type: 'skipped', runId: lost },
    ]);
    const [pending] = (await letters.listPending()).deadLetters;
    await expect(letters.replay(pending?.deadLetterId ?? '', 'ops')).rejects.toThrow(`run ${lost}`);
  });
});

describe('a retry of a dead-lettered run', () => {
  it('closes its letter: what is being done again waits for nobody', async () => {
    const { letters: failed, runIds, state } = await failing(1);
    state.broken = false;
    const [runId = ''] = runIds;
    const outcome = await bed.engine.dispatcher.retry(runId, 'ops');
    if (outcome.type !== 'retried') throw new Error(`${outcome.type} instead of retried`);
    expect(await bed.reach(outcome.runId, 'completed')).toMatchObject({ triggerSource: 'retry' });
    expect(await letters.get(failed[0]?.deadLetterId ?? '')).toMatchObject({
      resolution: 'replayed',
      resolvedBy: 'ops',
      replayRunId: outcome.runId,
    });
    // Asked for by name it is done again all the same.
    expect(await bed.engine.dispatcher.retry(runId)).toMatchObject({ type: 'retried' });
    expect(await retriesOf(runIds)).toBe(2);
  });
});

describe('resolving', () => {
  it('closes one, once, with who and why', async () => {
    const { letters: failed } = await failing(1);
    const id = failed[0]?.deadLetterId ?? '';
    const outcomes = await Promise.all(['ann', 'bob'].map((by) => letters.resolve(id, by, 'known')));
    expect(outcomes.map(({ type }) => type).sort()).toEqual(['already_resolved', 'resolved']);
    expect(await letters.get(id)).toMatchObject({ resolution: 'resolved', note: 'known', replayRunId: null });
    expect(await letters.resolve(newId(), 'ann')).toEqual({ type: 'not_found' });
    expect(await letters.replay(id, 'ann')).toMatchObject({ type: 'already_resolved' });
  });

  it('closes many by filter, after a dry run', async () => {
    const { runIds } = await failing(3);
    const asked = { by: 'ops', note: 'old', limit: 2 } as const;
    const dry = await letters.resolveAll({}, { ...asked, dryRun: true });
    expect(dry.items.map(({ type }) => type)).toEqual(['would_resolve', 'would_resolve']);
    expect((await letters.stats()).pending).toBe(3);
    expect((await letters.resolveAll({}, { ...asked, limit: 1 })).items).toMatchObject([
      { type: 'resolved' },
    ]);
    expect((await letters.stats()).pending).toBe(2);
    // Both see the two that are left, or one of them what the other has left: each is closed once.
    const [one, two] = await Promise.all([letters.resolveAll({}, asked), letters.resolveAll({}, asked)]);
    const types = [...one.items, ...two.items].map(({ type }) => type);
    expect(types.filter((type) => type === 'resolved')).toHaveLength(2);
    expect(await letters.stats()).toMatchObject({ pending: 0, resolved: 3, replayed: 0 });
    expect(await retriesOf(runIds)).toBe(0);
  });
});

describe('a letter that was added by hand', () => {
  const work = () => ({
    kind: 'task' as const,
    name: 'echo',
    params: { n: 1 },
    error: new TimeoutError('took too long'),
  });

  it('keeps work that has no run, and replays it', async () => {
    const added = await letters.add({ ...work(), attempts: 4, lane: 'default', correlationId: 'c' });
    if (added.type !== 'added') throw new Error(`${added.type} instead of added`);
    expect(added.deadLetter).toMatchObject({
      name: 'echo',
      params: { n: 1 },
      error: { message: 'took too long', type: 'TimeoutError', category: 'TIMEOUT', retryable: true },
      errorCategory: 'TIMEOUT',
      attempts: 4,
      crashCount: 0,
      correlationId: 'c',
    });
    const outcome = await letters.replay(added.deadLetter.deadLetterId, 'ops');
    if (outcome.type !== 'replayed') throw new Error(`${outcome.type} instead of replayed`);
    expect(await bed.reach(outcome.runId, 'completed')).toMatchObject({
      params: { n: 1 },
      correlationId: 'c',
      retryOfRunId: added.deadLetter.runId,
    });
  });

  it('is refused for a run that may still succeed or has, and is stored once for one that failed', async () => {
    const waiting = await bed.submit(taskSpec('echo', {}, { lane: 'nobody-serves-this' }));
    expect(await letters.add({ ...work(), runId: waiting })).toEqual({
      type: 'not_failed',
      status: 'queued',
    });
    const done = await bed.submit(taskSpec('echo'));
    await bed.reach(done, 'completed');
    expect(await letters.add({ ...work(), runId: done })).toEqual({
      type: 'not_failed',
      status: 'completed',
    });
    await bed.engine.dispatcher.cancel(waiting);
    const both = await Promise.all([1, 2].map(() => letters.add({ ...work(), runId: waiting })));
    expect(both.map(({ type }) => type).sort()).toEqual(['added', 'existing']);
    const { letters: failed } = await failing(1);
    expect(await letters.add({ ...work(), runId: failed[0]?.runId ?? '' })).toMatchObject({
      type: 'existing',
      deadLetter: { deadLetterId: failed[0]?.deadLetterId },
    });
  });

  it.each([
    [{ params: { text: 'a\0b' } }, 'params.text'],
    [{ name: 'no name' }, 'name'],
    [{ lane: 'No Lane' }, 'lane'],
  ])('is refused with %j', async (more, field) => {
    await expect(letters.add({ ...work(), ...more })).rejects.toMatchObject({ issues: [{ field }] });
    expect((await letters.listPending()).total).toBe(0);
  });
});

describe('purging', () => {
  it('deletes only letters that were resolved long ago, after a dry run, and no run', async () => {
    const old = await addPastRuns(bed.admin, {
      count: 3,
      status: 'dead_lettered',
      minutesAgo: 40 * DAY_MINUTES,
    });
    await resolvePast(bed.admin, old.slice(0, 1), 31 * DAY_MINUTES);
    await resolvePast(bed.admin, old.slice(1, 2), 29 * DAY_MINUTES);
    expect(await letters.purgeResolved(30, { dryRun: true })).toBe(1);
    expect(await letters.purgeResolved(30)).toBe(1);
    expect(await letters.purgeResolved(30)).toBe(0);
    const { deadLetters } = await letters.list({}, { limit: 10, offset: 0, order: 'oldest_first' });
    expect(deadLetters.map(({ runId }) => runId)).toEqual(expect.arrayContaining(old.slice(1)));
    expect(deadLetters).toHaveLength(2);
    for (const runId of old) expect(await getRun(bed.engine.db, runId)).not.toBeNull();
  });

  it('goes on until nothing old is left', async () => {
    const old = await addPastRuns(bed.admin, { count: 2_300, status: 'dead_lettered', events: false });
    await resolvePast(bed.admin, old, 3 * DAY_MINUTES);
    expect(await letters.purgeResolved(2)).toBe(2_300);
    expect((await letters.list({}, { limit: 1, offset: 0 })).total).toBe(0);
  });

  it.each([0, 1.5, -3, 36_501])('refuses a period of %s days', async (days) => {
    await expect(letters.purgeResolved(days)).rejects.toThrow('olderThanDays: given');
  });
});

describe('statistics', () => {
  it('count what is pending, and what was closed in the window', async () => {
    const count = (name: string) => addPastRuns(bed.admin, { name, status: 'dead_lettered', events: false });
    const [first = ''] = await count('a');
    await count('a');
    await count('b');
    await resolvePast(bed.admin, [...(await count('b')), ...(await count('b'))], 60);
    await resolvePast(bed.admin, await count('b'), 3 * DAY_MINUTES);
    const stats = await letters.stats(2);
    expect(stats).toMatchObject({ closedDays: 2, pending: 3, resolved: 2, replayed: 0 });
    expect(stats.byHandler).toMatchObject([
      { handler: 'task:a', pending: 2, resolved: 0 },
      { handler: 'task:b', pending: 1, resolved: 2 },
    ]);
    expect(stats.byCategory).toMatchObject([{ errorCategory: 'SOURCE', pending: 3, resolved: 2 }]);
    const oldest = (await letters.listPending({ name: 'a' })).deadLetters.find(
      ({ runId }) => runId === first,
    );
    expect(stats.byHandler[0]?.oldestPendingAt).toEqual(oldest?.createdAt);
    expect((await letters.stats(7)).resolved).toBe(3);
  });

  it('list no more than they count', async () => {
    await addPastRuns(bed.admin, { count: 10_050, status: 'dead_lettered', events: false });
    const page = await letters.listPending({}, { limit: 10, offset: 0 });
    expect(page).toMatchObject({ total: 10_000, totalIsCapped: true, hasMore: true });
  });
});

describe('a poison pill', () => {
  it('stops at the crash limit, whatever attempts are left, and waits here', async () => {
    const lane = bed.newLane();
    const spec = taskSpec('echo', {}, { lane, maxRetries: 100 });
    const runId = await bed.submit(spec);
    for (let crash = 1; crash <= CRASH_LIMIT; crash += 1) {
      // A worker claims it and is never heard of again: its lease runs out.
      await bed.admin.query(
        `UPDATE runs SET status = 'running', epoch = epoch + 1, attempt = attempt + 1, lease_owner = $2,
           lease_expires_at = now() - interval '1 minute', deadline_at = now() + interval '1 hour',
           dispatch_after = NULL, started_at = COALESCE(started_at, now())
         WHERE id = $1`,
        [runId, newId()],
      );
      await bed.reach(runId, crash < CRASH_LIMIT ? 'queued' : 'dead_lettered');
    }
    const [letter] = (await letters.listPending()).deadLetters;
    expect(letter).toMatchObject({
      runId,
      crashCount: CRASH_LIMIT,
      attempts: CRASH_LIMIT,
      error: { type: 'LeaseExpiredError' },
    });
  });
});
