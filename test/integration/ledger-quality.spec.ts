import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noNulls, QualityRunner, rowCountAtLeast } from '@spine/core';
import { listAnomalies, listQuality, writeQualityResults } from '@spine/database';
import type { QualityFilter } from '@spine/database';
import { checkQualityGate } from '@spine/execution';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

let bed: Bed;
let lane: string;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
  lane = bed.newLane();
  await bed.startWorker(lane);
});
afterAll(() => bed.close());

type Rows = readonly (string | null)[];

function runner(): QualityRunner<Rows> {
  return new QualityRunner<Rows>()
    .add(rowCountAtLeast({ name: 'rows', minimum: 2, count: (rows) => rows.length }))
    .add(noNulls({ name: 'nulls', values: (rows) => rows }))
    .add({
      name: 'unreadable',
      category: 'INTEGRITY',
      check: (rows) => {
        if (rows.length === 0) throw new Error('nothing to read');
        return { status: 'PASS', message: 'read', actualValue: null, expectedValue: null };
      },
    });
}

const scope = (no: number) => ({ domain: 'test.quality', partitionKey: { no }, stage: 'AGGREGATED' });
const all = (filter: QualityFilter) => listQuality(bed.engine.db, filter, { limit: 100 });

/** A step behind the gate: what it would publish stands in the results it stores. */
const step = (no: number, rows: Rows) =>
  bed.probe(lane, async (ctx) => {
    const outcomes = await checkQualityGate(ctx, scope(no), runner(), rows);
    const { runId, correlationId: batchId } = ctx.run;
    await ctx.transaction((trx) => writeQualityResults(trx, { ...scope(no), runId, batchId }, outcomes));
    return { published: rows.length };
  });

describe('a quality gate', () => {
  it('that is open leaves what was found to be stored with the rows', async () => {
    const runId = await bed.submit({ ...step(1, ['a', 'b']), correlationId: 'batch-1' });
    expect(await bed.reach(runId, 'completed')).toMatchObject({ result: { published: 2 } });
    const found = await all({ runId });
    expect(found.items.toReversed()).toMatchObject([
      {
        ...scope(1),
        checkName: 'rows',
        category: 'COMPLETENESS',
        status: 'PASS',
        message: '2 rows',
        actualValue: '2',
        expectedValue: '>= 2',
        batchId: 'batch-1',
      },
      { checkName: 'nulls', status: 'PASS' },
      { checkName: 'unreadable', status: 'PASS', actualValue: null },
    ]);
    expect(await bed.events(runId)).not.toContain('quality_gate_failed');
  });

  it('that is shut stores every result, fails the run for good and says why', async () => {
    const runId = await bed.submit(step(2, []));
    const run = await bed.reach(runId, 'dead_lettered');
    expect(run).toMatchObject({
      attempt: 1,
      error: {
        type: 'QualityGateError',
        category: 'DATA_QUALITY',
        retryable: false,
        message:
          'the quality gate failed on 2 checks: rows: 0 rows; at least 2 are expected; ' +
          'unreadable: the check itself failed with Error: nothing to read',
      },
    });
    const found = await all({ domain: 'test.quality', partitionKey: { no: 2 } });
    expect(found.items.map(({ checkName, status }) => [checkName, status])).toEqual([
      ['unreadable', 'FAIL'],
      ['nulls', 'PASS'],
      ['rows', 'FAIL'],
    ]);
    const anomalies = await listAnomalies(bed.engine.db, { runId }, { limit: 10 });
    expect(anomalies.items).toMatchObject([
      {
        ...scope(2),
        severity: 'ERROR',
        category: 'QUALITY_GATE',
        metadata: { checks: ['rows', 'unreadable'] },
        resolvedAt: null,
      },
    ]);
    expect(await bed.events(runId)).toContain('quality_gate_failed');
  });
});

describe('results', () => {
  it('are found by what they are of', async () => {
    const failed = await all({ domain: 'test.quality', status: 'FAIL' });
    expect(failed.items.map(({ checkName }) => checkName).sort()).toEqual(['rows', 'unreadable']);
    expect((await all({ domain: 'test.quality', checkName: 'nulls' })).total).toBe(2);
    expect((await all({ domain: 'another' })).items).toEqual([]);
    const [newest] = failed.items;
    const since = newest?.createdAt ?? new Date(0);
    expect((await all({ since })).items.map(({ resultId }) => resultId)).toContain(newest?.resultId);
    expect((await all({ until: since })).items.map(({ resultId }) => resultId)).not.toContain(
      newest?.resultId,
    );
    expect((await all({ since: new Date(Date.now() + 3_600_000) })).items).toEqual([]);
  });

  it('are never changed: not by the services, not by the owner', async () => {
    const change = `UPDATE quality_results SET status = 'PASS'`;
    await expect(bed.engine.pool.query(change)).rejects.toMatchObject({ code: '42501' });
    await expect(bed.engine.pool.query('DELETE FROM quality_results')).rejects.toMatchObject({
      code: '42501',
    });
    await expect(bed.admin.query(change)).rejects.toThrow('quality_results is append only');
  });
});
