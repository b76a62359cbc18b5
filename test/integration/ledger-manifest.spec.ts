import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineStages, newId, ValidationError } from '@spine/core';
import { listManifest, positionOfManifestRow, WorkManifest } from '@spine/database';
import type { ManifestPosition, StageChange, StageHook } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

const STAGES = defineStages(['PENDING', 'INGESTED', 'NORMALIZED']);
const DOMAIN = 'test.manifest';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
afterAll(() => base.close());

let partitions = 0;
/** A partition nobody else uses. */
const partition = () => ({ week: '2025-12-12', no: (partitions += 1) });

function manifest(runId: string = newId(), onStageChange?: StageHook, db = base.db) {
  const hook = onStageChange === undefined ? {} : { onStageChange };
  return new WorkManifest({ db, domain: DOMAIN, stages: STAGES, runId, batchId: 'b', ...hook });
}

describe('a partition', () => {
  it('has one row for each stage it reached, the last run’s', async () => {
    const key = partition();
    const [first, second] = [newId(), newId()];
    await manifest(first).advanceTo(key, 'PENDING');
    await manifest(first).advanceTo(key, 'NORMALIZED', { rowCount: 3 });
    const before = await manifest(first).advanceTo(key, 'INGESTED', { rowCount: 10, metrics: { bad: 1 } });
    const after = await manifest(second).advanceTo(key, 'INGESTED', { rowCount: 12, metrics: { bad: 0 } });
    expect(after.updatedAt.getTime()).toBeGreaterThanOrEqual(before.updatedAt.getTime());
    expect(await manifest().all(key)).toMatchObject([
      { stage: 'PENDING', stageRank: 0, rowCount: null, metrics: {}, runId: first },
      { stage: 'INGESTED', stageRank: 1, rowCount: 12, metrics: { bad: 0 }, runId: second, batchId: 'b' },
      { stage: 'NORMALIZED', stageRank: 2, rowCount: 3, runId: first },
    ]);
    expect(await manifest().get(key, 'INGESTED')).toEqual(after);
    expect(await manifest().latest(key)).toMatchObject({ stage: 'NORMALIZED' });
  });

  it('is at least at every stage up to its furthest', async () => {
    const key = partition();
    const asked = async () => Promise.all(STAGES.names.map((stage) => manifest().isAtLeast(key, stage)));
    expect(await asked()).toEqual([false, false, false]);
    expect(await manifest().latest(key)).toBeNull();
    await manifest().advanceTo(key, 'INGESTED');
    expect(await asked()).toEqual([true, true, false]);
    expect(await manifest().get(key, 'PENDING')).toBeNull();
  });

  it('is the same whatever the order of its keys', async () => {
    const key = partition();
    await manifest().advanceTo(key, 'INGESTED');
    expect(await manifest().latest({ no: key.no, week: key.week })).toMatchObject({ partitionKey: key });
  });

  it('is not what a run that lost the race left, but what was committed last', async () => {
    const key = partition();
    const older = newId();
    const newer = newId();
    await base.db.transaction().execute(async (late) => {
      await new WorkManifest({ db: late, domain: DOMAIN, stages: STAGES, runId: older }).all(key);
      await manifest(newer).advanceTo(key, 'INGESTED', { rowCount: 1 });
      const stages = new WorkManifest({ db: late, domain: DOMAIN, stages: STAGES, runId: older });
      await stages.advanceTo(key, 'INGESTED', { rowCount: 2 });
    });
    const row = await manifest().get(key, 'INGESTED');
    expect(row).toMatchObject({ runId: older, rowCount: 2 });
  });
});

describe('the hook', () => {
  it('hears of every stage after it was written, with the furthest stage before', async () => {
    const key = partition();
    const heard: (string | null | undefined)[][] = [];
    const hook = async ({ before, reached }: StageChange): Promise<void> => {
      const stored = await manifest().get(key, STAGES.parse(reached.stage));
      heard.push([before?.stage ?? null, reached.stage, stored?.runId]);
    };
    const runId = newId();
    const stages = manifest(runId, hook);
    await stages.advanceTo(key, 'INGESTED');
    await stages.advanceTo(key, 'PENDING');
    expect(heard).toEqual([
      [null, 'INGESTED', runId],
      ['INGESTED', 'PENDING', runId],
    ]);
  });

  it('takes the row back with the transaction it throws in', async () => {
    const key = partition();
    const outcome = base.db.transaction().execute((trx) => {
      const stages = new WorkManifest({
        db: trx,
        domain: DOMAIN,
        stages: STAGES,
        runId: newId(),
        onStageChange: () => {
          throw new Error('the hook refuses');
        },
      });
      return stages.advanceTo(key, 'INGESTED');
    });
    await expect(outcome).rejects.toThrow('the hook refuses');
    expect(await manifest().all(key)).toEqual([]);
  });
});

describe('a stage the domain does not have', () => {
  it('is refused, and nothing is written', async () => {
    const key = partition();
    // As it would come from a request: the compiler knows the names.
    const unknown = JSON.parse('"PUBLISHED"') as 'PENDING';
    for (const ask of [
      () => manifest().advanceTo(key, unknown),
      () => manifest().isAtLeast(key, unknown),
      () => manifest().get(key, unknown),
    ]) {
      await expect(ask()).rejects.toThrow(ValidationError);
      await expect(ask()).rejects.toThrow('stage: "PUBLISHED" is not a stage; allowed are PENDING, INGESTED');
    }
    expect(await manifest().all(key)).toEqual([]);
  });
});

describe('the list', () => {
  it('shows every row once, page by page', async () => {
    const domain = 'test.manifest.pages';
    const stages = new WorkManifest({ db: base.db, domain, stages: STAGES, runId: newId() });
    for (let no = 0; no < 4; no += 1) {
      await stages.advanceTo({ no }, 'INGESTED');
      await stages.advanceTo({ no }, 'NORMALIZED');
    }
    const seen: string[] = [];
    let after: ManifestPosition | undefined;
    for (;;) {
      const page = await listManifest(
        base.db,
        { domain },
        { limit: 3, ...(after === undefined ? {} : { after }) },
      );
      expect(page.total).toBe(8);
      seen.push(...page.items.map((row) => `${JSON.stringify(row.partitionKey)} ${row.stage}`));
      const last = page.items.at(-1);
      if (!page.hasMore || last === undefined) break;
      after = positionOfManifestRow(last);
    }
    expect(seen).toEqual([0, 1, 2, 3].flatMap((no) => [`{"no":${no}} INGESTED`, `{"no":${no}} NORMALIZED`]));
    const one = await listManifest(
      base.db,
      { domain, stage: 'INGESTED', partitionKey: { no: 2 } },
      { limit: 9 },
    );
    expect(one).toMatchObject({ total: 1, hasMore: false, items: [{ stage: 'INGESTED' }] });
  });
});
