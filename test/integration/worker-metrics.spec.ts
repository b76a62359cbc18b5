/** What workers and maintenance count while real runs go through them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OperationError } from '@spine/core';
import { taskSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { shift } from './engine-support.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
});
afterAll(() => bed.close());

/** The value of a series as a scrape shows it; 0 for none. */
async function scraped(series: string): Promise<number> {
  const text = await bed.engine.metrics.registry.metrics();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length));
}

const deadLetters = (source: string): Promise<number> =>
  scraped(`spine_dead_letters_total{source="${source}",service="test"}`);

describe('the metrics of a worker', () => {
  it('have the waits for claims and settlements, and the sizes of the statements', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const runIds = await Promise.all(
      Array.from({ length: 5 }, () => bed.submit(taskSpec('echo', {}, { lane }))),
    );
    for (const runId of runIds) await bed.reach(runId, 'completed');
    await waitFor(async () => (await bed.count('settled', { outcome: 'completed' })) === 5);
    const service = '{service="test"}';
    const claims = await scraped(`spine_claim_seconds_count${service}`);
    const settlements = await scraped(`spine_settle_seconds_count${service}`);
    const statements = await scraped('spine_group_commit_items_count{service="test",statement="exchange"}');
    const items = await scraped('spine_group_commit_items_sum{service="test",statement="exchange"}');
    expect(claims).toBeGreaterThan(0);
    expect(settlements).toBeGreaterThan(0);
    // One claim and one settlement of each statement are looked at.
    expect(Math.max(claims, settlements)).toBeLessThanOrEqual(statements);
    expect(items).toBe(10);
  });

  it('say that it drains while it stops', async () => {
    const worker = await bed.startWorker(bed.newLane());
    expect(await scraped('spine_worker_draining{service="test"}')).toBe(0);
    await worker.stop(0);
    expect(await scraped('spine_worker_draining{service="test"}')).toBe(1);
  });
});

describe('dead letters are counted by what wrote them', () => {
  it('a worker', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const fail = () => Promise.reject(new OperationError('no', { retryable: false }));
    await bed.reach(await bed.submit(bed.probe(lane, fail)), 'dead_lettered');
    await waitFor(async () => (await deadLetters('worker')) === 1);
  });

  it('the reaper', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane, { heartbeatMs: 3_600_000 });
    let began = false;
    const runId = await bed.submit(
      bed.probe(
        lane,
        () => {
          began = true;
          return new Promise(() => undefined);
        },
        { maxRetries: 0 },
      ),
    );
    await waitFor(() => began);
    await shift(bed.admin, [runId], 'lease_expires_at', '-1 minute');
    await bed.reach(runId, 'dead_lettered');
    await waitFor(async () => (await deadLetters('reaper')) === 1);
    expect(await bed.count('reaped', { reason: 'lease_expired' })).toBe(1);
  });

  it('the deadline of a run that waits', async () => {
    const runId = await bed.submit(taskSpec('echo', {}, { lane: bed.newLane(), deadlineSeconds: 3_600 }));
    await bed.admin.query(`UPDATE runs SET run_deadline_at = now() - interval '1 second' WHERE id = $1`, [
      runId,
    ]);
    await bed.reach(runId, 'dead_lettered');
    await waitFor(async () => (await deadLetters('expiry')) === 1);
    expect(await bed.count('reaped', { reason: 'expired' })).toBe(1);
  });
});
