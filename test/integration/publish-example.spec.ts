/** The example of docs/publish.md, as it stands there. */
import { z } from 'zod';
import { assetKey, hashJson, QualityRunner, rowCountAtLeast } from '@spine/core';
import type { NewReject } from '@spine/database';
import { operationSpec } from '@spine/execution';
import type { HandlerRegistry } from '@spine/execution';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

interface PriceRow {
  readonly day: string;
  readonly symbol: string;
  readonly close: string;
}

const DAY = '2026-01-30';
const LINES = Array.from({ length: 100 }, (_, index) => `S${index}|${index < 2 ? 'n/a' : `${index}.25`}`);

/** The closing prices of a day; those that are no numbers are refused. */
function readPrices(day: string) {
  const rows: PriceRow[] = [];
  const refused: Omit<NewReject, 'runId' | 'batchId'>[] = [];
  LINES.forEach((line, index) => {
    const [symbol = '', close = ''] = line.split('|');
    if (/^\d+\.\d+$/.test(close)) rows.push({ day, symbol, close });
    else
      refused.push({
        domain: 'prices',
        partitionKey: { day },
        stage: 'LOADED',
        reasonCode: 'INVALID_PRICE',
        reasonDetail: `${close} is no price`,
        raw: line,
        sourceLocator: `prices_${day}.txt`,
        lineNumber: index + 1,
        recordHash: hashJson(line),
      });
  });
  return Promise.resolve({ rows, refused });
}

const priceChecks = () =>
  new QualityRunner<readonly PriceRow[]>().add(
    rowCountAtLeast({ name: 'prices_there', minimum: 1, count: (rows) => rows.length }),
  );

function register(registry: HandlerRegistry): void {
  registry.registerOperation(
    'prices.returns',
    { description: 'Follows.', params: z.strictObject({ day: z.iso.date() }) },
    () => null,
  );
  registry.registerOperation(
    'prices.load_day',
    { description: 'Loads the closing prices of a day.', params: z.strictObject({ day: z.iso.date() }) },
    async ({ day }, ctx) => {
      const { rows, refused } = await readPrices(day); // before the transaction: it should be short
      const partitionKey = { day };
      const checks = priceChecks(); // a runner of its own: it keeps what it has found
      const outcomes = await checks.runAll(rows);
      checks.gate(); // a shut gate publishes nothing

      return await ctx.publish(async (p) => {
        // The handler's own table.
        await p.trx.withTables<{ prices: PriceRow }>().insertInto('prices').values(rows).execute();
        await p.rejects(refused); // 2 of them
        await p.quality({ domain: 'prices', partitionKey, stage: 'LOADED' }, outcomes);
        await p.stage({
          domain: 'prices',
          partitionKey,
          stage: 'LOADED',
          stageRank: 1,
          rowCount: rows.length,
          metrics: { rejected: refused.length },
        });
        await p.watermark({ domain: 'prices', source: 'exchange', kind: 'date', highWater: day });
        await p.materialize({
          assetKey: assetKey('prices', 'daily'),
          domain: 'prices',
          partitionKey,
          rowCount: rows.length,
        });
        const next = await p.submit(operationSpec('prices.returns', { day }));
        return { day, loaded: rows.length, rejected: refused.length, next_run: next.runId };
      });
    },
  );
}

let bed: Bed;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory', register });
  await bed.admin.query(
    `CREATE TABLE prices (day date NOT NULL, symbol text NOT NULL, close numeric NOT NULL);
     GRANT SELECT, INSERT ON prices TO spine_app`,
  );
});
afterAll(() => bed.close());

it('commits what the page says', async () => {
  const lane = bed.newLane();
  await bed.startWorker(lane);
  const runId = await bed.submit(operationSpec('prices.load_day', { day: DAY }, { lane }));
  const { result } = await bed.reach(runId, 'completed');
  expect(result).toEqual({ day: DAY, loaded: 98, rejected: 2, next_run: expect.any(String) as unknown });
  const { rows } = await bed.admin.query(
    `SELECT (SELECT count(*)::int FROM prices) AS prices,
       (SELECT count(*)::int FROM rejects WHERE run_id = $1) AS rejects,
       (SELECT string_agg(check_name || ' ' || status, ',') FROM quality_results WHERE run_id = $1) AS verdict,
       (SELECT row_count FROM manifest WHERE run_id = $1 AND stage = 'LOADED') AS row_count,
       (SELECT high_water FROM watermarks WHERE run_id = $1) AS watermark,
       (SELECT count(*)::int FROM asset_materializations WHERE run_id = $1 AND asset_key = 'prices/daily') AS materializations,
       (SELECT name || ' ' || status FROM runs WHERE parent_run_id = $1) AS next,
       (SELECT count(*)::int FROM run_events WHERE run_id = $1 AND terminal) AS terminal`,
    [runId],
  );
  expect(rows).toEqual([
    {
      prices: 98,
      rejects: 2,
      verdict: 'prices_there PASS',
      row_count: 98,
      watermark: DAY,
      materializations: 1,
      next: 'prices.returns queued',
      terminal: 1,
    },
  ]);
});
