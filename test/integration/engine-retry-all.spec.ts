/** Bulk retries: what they take, what they leave alone, and that two of them share the work. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asQueryable, insertRuns } from '@spine/database';
import { newRun, specOfRun, taskSpec } from '@spine/execution';
import type { Dispatcher, RetryAllOptions } from '@spine/execution';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { addPastRuns, resolvePast } from './history-support.ts';
import type { PastRuns } from './history-support.ts';

let bed: Bed;
let dispatcher: Dispatcher;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
  dispatcher = bed.engine.dispatcher;
});
beforeEach(() => bed.admin.query('TRUNCATE runs, run_events, dead_letters'));
afterAll(() => bed.close());

type Filter = Parameters<Dispatcher['retryAll']>[0];
const retryAll = (filter: Filter = {}, options: Partial<RetryAllOptions> = {}) =>
  dispatcher.retryAll(filter, { by: 'ops', ...options });
/** Old runs in a lane that nobody serves, so that their retries wait. */
const past = (more: PastRuns = {}) => addPastRuns(bed.admin, { status: 'failed', lane: 'idle', ...more });

interface Retry {
  readonly retry_of_run_id: string;
  readonly status: string;
  readonly trigger_source: string;
}
const retries = async () =>
  (
    await bed.admin.query<Retry>(
      'SELECT retry_of_run_id, status, trigger_source FROM runs WHERE retry_of_run_id IS NOT NULL ORDER BY 1',
    )
  ).rows;

describe('a bulk retry', () => {
  it('says in a dry run what it would do, and changes nothing', async () => {
    const runIds = await past({ count: 3 });
    const result = await retryAll({}, { dryRun: true, limit: 2 });
    expect(result).toEqual({
      matched: 3,
      matchedIsCapped: false,
      items: runIds.slice(0, 2).map((runId) => ({ type: 'would_retry', runId })),
    });
    expect(await retries()).toEqual([]);
  });

  it('takes the oldest first, and goes on where it ended when it is called again', async () => {
    const runIds = await past({ count: 5 });
    const first = await retryAll({}, { limit: 3 });
    expect(first.items.map(({ runId }) => runId)).toEqual(runIds.slice(0, 3));
    expect(await retryAll({}, { limit: 3 })).toMatchObject({
      matched: 2,
      items: runIds.slice(3).map((runId) => ({ type: 'retried', runId })),
    });
    expect(await retryAll()).toEqual({ matched: 0, matchedIsCapped: false, items: [] });
    const stored = await retries();
    expect(stored.map((retry) => retry.retry_of_run_id)).toEqual(runIds);
    expect(stored).toEqual(stored.map((retry) => ({ ...retry, status: 'queued', trigger_source: 'retry' })));
  });

  it('takes what failed, timed out or was dead-lettered; what was cancelled only when asked', async () => {
    const runIds = new Map<string, string>();
    for (const status of ['failed', 'timed_out', 'dead_lettered', 'cancelled', 'completed'] as const) {
      const [runId = ''] = await past({ status });
      runIds.set(status, runId);
    }
    const taken = async (filter: Filter) =>
      (await retryAll(filter, { dryRun: true })).items.map(({ runId }) => runId).sort();
    const idsOf = (...statuses: string[]) => statuses.map((status) => runIds.get(status)).sort();
    expect(await taken({})).toEqual(idsOf('failed', 'timed_out', 'dead_lettered'));
    expect(await taken({ status: ['cancelled', 'failed'] })).toEqual(idsOf('cancelled', 'failed'));
    for (const status of ['completed', 'queued'] as const) {
      await expect(retryAll({ status: [status] })).rejects.toThrow(`status: given ${status}`);
    }
  });

  it('takes what the filter names', async () => {
    const [tagged = ''] = await past({ tag: 't', minutesAgo: 30 });
    const [named = ''] = await past({ name: 'other', minutesAgo: 20 });
    const [old = ''] = await past({ lane: 'elsewhere', minutesAgo: 90 });
    const taken = async (filter: Filter) =>
      (await retryAll(filter, { dryRun: true })).items.map(({ runId }) => runId);
    expect(await taken({ tag: 't' })).toEqual([tagged]);
    expect(await taken({ name: 'other' })).toEqual([named]);
    expect(await taken({ lane: 'elsewhere' })).toEqual([old]);
    const hourAgo = new Date(Date.now() - 3_600_000);
    expect(await taken({ since: hourAgo })).toEqual([tagged, named]);
    expect(await taken({ until: hourAgo })).toEqual([old]);
    expect(await taken({ kind: 'operation' })).toEqual([]);
  });

  it('shares the work with another: each run is retried once', async () => {
    const runIds = await past({ count: 250 });
    const results = await Promise.all([retryAll(), retryAll(), retryAll()]);
    const items = results.flatMap((result) => result.items);
    expect(items.filter(({ type }) => type === 'retried')).toHaveLength(250);
    expect((await retries()).map((retry) => retry.retry_of_run_id)).toEqual(runIds);
  });

  it('leaves alone what somebody retries at the same moment', async () => {
    const [runId = ''] = await past();
    const old = await dispatcher.get(runId);
    if (old === null) throw new Error('no such run');
    // Both have found the run; the other one holds it and has stored its retry, but has not committed.
    const other = await bed.engine.db.startTransaction().execute();
    await other.selectFrom('runs').select('id').where('id', '=', runId).forNoKeyUpdate().execute();
    const again = newRun(specOfRun(old), { retryOfRunId: runId });
    await insertRuns(asQueryable(other), [again], { ambiguous: false, hinted: true });
    const result = retryAll();
    await expect
      .poll(async () => {
        const { rows } = await bed.admin.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return rows.length;
      })
      .toBeGreaterThan(0);
    await other.commit().execute();
    expect((await result).items).toEqual([{ type: 'skipped', runId }]);
    expect(await retries()).toHaveLength(1);
  });

  it('closes pending dead letters with their retry, and leaves alone a run whose letter somebody has closed', async () => {
    const [pending = '', resolved = '', purged = ''] = await past({ count: 3, status: 'dead_lettered' });
    await resolvePast(bed.admin, [resolved], 1);
    await bed.admin.query('DELETE FROM dead_letters WHERE run_id = $1', [purged]);
    const { items } = await retryAll();
    expect(items.map(({ runId, type }) => [runId, type])).toEqual([
      [pending, 'retried'],
      [resolved, 'skipped'],
      [purged, 'retried'],
    ]);
    const { rows } = await bed.admin.query(
      'SELECT resolution, resolved_by, replay_run_id FROM dead_letters WHERE run_id = $1',
      [pending],
    );
    const [first] = items;
    expect(rows).toEqual([
      {
        resolution: 'replayed',
        resolved_by: 'ops',
        replay_run_id: first?.type === 'retried' ? first.newRunId : '',
      },
    ]);
  });

  it('reaches workers', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    await past({ count: 3, lane });
    const { items } = await retryAll();
    for (const item of items) await bed.reach(item.type === 'retried' ? item.newRunId : '', 'completed');
    expect(items).toHaveLength(3);
    expect(await bed.submit(taskSpec('echo', {}, { lane }))).not.toBe('');
  });
});
