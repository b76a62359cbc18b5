/** The data plane: weeks, symbols, histories and venues over HTTP, as they are known and as they were known. */
import {
  AGGREGATE_WEEK,
  COMPUTE_VENUE_SHARE,
  DOMAIN,
  knownVenuesQuery,
  knownWeeksQuery,
  NORMALIZE_WEEK,
  symbolHistoryQuery,
  topSymbolsQuery,
} from '@spine/finra-otc';
import { newId, sha256Hex } from '@spine/core';
import { writeRejects } from '@spine/database';
import { REPLAY_REJECTS } from '@spine/execution';
import { createApp } from '@spine/api';
import type { ApiApp } from '@spine/api';
import { loadSettings } from '@spine/config';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFinra } from './finra-support.ts';
import type { FinraBed, Params } from './finra-support.ts';
import { listIn } from './api-support.ts';
import type { Json } from './api-support.ts';
import { planOf } from './plan-support.ts';

const [WEEK_1, WEEK_2] = ['2025-12-12', '2025-12-19'];

let finra: FinraBed;
let app: ApiApp;
let url: string;
/** When the first capture of the first week was stored, and when its correction was. */
let [before, after] = ['', ''];

interface Answer {
  readonly status: number;
  readonly body: Json;
}

async function get(path: string): Promise<Answer> {
  const response = await fetch(`${url}/api/v1/data/${path}`);
  return { status: response.status, body: (await response.json()) as Json };
}

async function items(path: string): Promise<readonly Json[]> {
  const { status, body } = await get(path);
  expect({ path, status }).toEqual({ path, status: 200 });
  return listIn(body['data']);
}

async function publish(week: string, tier = 'OTC', more: Params = {}): Promise<void> {
  const of = { week_ending: week, tier, ...more };
  for (const operation of [NORMALIZE_WEEK, AGGREGATE_WEEK, COMPUTE_VENUE_SHARE])
    await finra.run(operation, of);
}

beforeAll(async () => {
  finra = await openFinra();
  await finra.ingest(WEEK_1, [
    { symbol: 'AABB', mpid: 'OTCN', shares: 30, trades: 4, updated: '2025-12-15' },
    { symbol: 'AABB', mpid: 'ARCA', shares: 20, trades: 3, updated: '2025-12-15' },
    { symbol: 'GONE', mpid: 'ARCA', shares: 7, trades: 1, updated: '2025-12-15' },
    { symbol: 'SAME', mpid: 'ARCA', shares: 7, trades: 1, updated: '2025-12-15' },
  ]);
  await finra.age(7);
  await publish(WEEK_1);
  await finra.ingest(WEEK_2, [{ symbol: 'AABB', mpid: 'OTCN', shares: 40, trades: 4 }]);
  await finra.age(1);
  await publish(WEEK_2);
  // A correction: more shares of one symbol at one venue.
  await finra.ingest(WEEK_1, [
    { symbol: 'AABB', mpid: 'OTCN', shares: 1_000, trades: 4, updated: '2025-12-22' },
  ]);
  await publish(WEEK_1);
  const captures = await finra.query<{ at: string }>(
    `SELECT to_char(captured_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
     FROM finra_otc_captures WHERE week_ending = $1 ORDER BY captured_at`,
    [WEEK_1],
  );
  [before = '', after = ''] = captures.map(({ at }) => at);
  const settings = loadSettings({ SPINE_DATABASE_URL: finra.databaseUrl, SPINE_PORT: '0' }, { role: 'api' });
  app = await createApp({ settings, engine: finra.engine });
  url = await app.listen();
});

afterAll(async () => {
  await app.close(1_000);
  await finra.close();
});

describe('GET /data/weeks', () => {
  it('lists each week once, as it is known now, newest first', async () => {
    expect(await items('weeks?tier=OTC')).toEqual([
      expect.objectContaining({ week_ending: WEEK_2, tier: 'OTC', symbol_count: 1, total_shares: '40' }),
      expect.objectContaining({
        week_ending: WEEK_1,
        symbol_count: 3,
        venue_count: 2,
        total_shares: '1034',
        total_trades: '9',
        captured_at: after,
        calc_version: 'v1',
      }),
    ]);
    expect(await items('weeks?tier=NMS_TIER_1')).toEqual([]);
  });

  it('lists what was known then: to the microsecond, or by the end of a day', async () => {
    const known = async (as_of: string) =>
      (await items(`weeks?tier=OTC&as_of=${as_of}`)).map((week) => [
        week['week_ending'],
        week['total_shares'],
      ]);
    expect(await known(before)).toEqual([[WEEK_1, '64']]);
    expect(await known(after)).toEqual([
      [WEEK_2, '40'],
      [WEEK_1, '1034'],
    ]);
    expect(await known(before.slice(0, 10))).toEqual([[WEEK_1, '64']]);
    expect(await known('2025-12-01T00:00:00Z')).toEqual([]);
    // One microsecond before it was known it was not.
    const [{ at = '' } = {}] = await finra.query<{ at: string }>(
      `SELECT to_char(($1::timestamptz - interval '1 microsecond') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
      [before],
    );
    expect(await known(at)).toEqual([]);
  });

  it('comes in pages', async () => {
    const first = await get('weeks?tier=OTC&limit=1');
    expect(first.body['page']).toMatchObject({ total: 2, has_more: true, limit: 1 });
    const cursor = String(first.body['page']?.['next_cursor']);
    const second = await get(`weeks?tier=OTC&limit=1&cursor=${cursor}`);
    expect(listIn(second.body['data'])).toMatchObject([{ week_ending: WEEK_1 }]);
    expect(second.body['page']).toMatchObject({ has_more: false, has_prev: true, next_cursor: null });
  });
});

describe('GET /data/symbols', () => {
  it('lists a week by volume, with the average and the capture', async () => {
    const [top, ...others] = await items(`symbols?tier=OTC&week=${WEEK_1}`);
    expect(top).toMatchObject({
      symbol: 'AABB',
      issue_name: 'Name of AABB',
      week_ending: WEEK_1,
      total_shares: '1020',
      total_trades: '7',
      venue_count: 2,
      avg_trade_size: '145.714286',
      captured_at: after,
    });
    expect(others.map((each) => each['symbol'])).toEqual(['GONE', 'SAME']);
  });

  it('takes the newest week where none is named', async () => {
    expect(await items('symbols?tier=OTC')).toMatchObject([{ symbol: 'AABB', week_ending: WEEK_2 }]);
    expect(await items(`symbols?tier=OTC&as_of=${before}`)).toMatchObject([
      { symbol: 'AABB', week_ending: WEEK_1, total_shares: '50', captured_at: before },
      { symbol: 'GONE' },
      { symbol: 'SAME' },
    ]);
  });

  it('comes in pages that equal figures do not confuse', async () => {
    const seen: unknown[] = [];
    let path = `symbols?tier=OTC&week=${WEEK_1}&limit=1`;
    for (let page = 0; page < 5; page += 1) {
      const { body } = await get(path);
      seen.push(...listIn(body['data']).map((each) => each['symbol']));
      expect(body['page']).toMatchObject({ total: 3 });
      const [next] = listIn(body['links']);
      if (next === undefined) break;
      path = String(next['href']).replace('/api/v1/data/', '');
    }
    expect(seen).toEqual(['AABB', 'GONE', 'SAME']);
  });

  it('says that nothing was known rather than showing an empty week', async () => {
    const { status, body } = await get(`symbols?tier=NMS_TIER_2&week=${WEEK_1}`);
    expect(status).toBe(404);
    expect(body['detail']).toBe(
      'no symbols of the week ending 2025-12-12 of tier NMS_TIER_2 were known; GET /api/v1/data/weeks lists what is there',
    );
  });
});

describe('GET /data/symbols/{symbol}/history', () => {
  it('lists the weeks of a symbol under any spelling, as they are known and as they were', async () => {
    const weeks = async (query: string) =>
      (await items(query)).map((each) => [each['week_ending'], each['total_shares']]);
    expect(await weeks('symbols/aabb/history?tier=OTC')).toEqual([
      [WEEK_2, '40'],
      [WEEK_1, '1020'],
    ]);
    expect(await weeks(`symbols/AABB/history?tier=OTC&as_of=${before}`)).toEqual([[WEEK_1, '50']]);
    expect(await weeks('symbols/GONE/history?tier=OTC')).toEqual([[WEEK_1, '7']]);
    expect(await weeks('symbols/NONE/history?tier=OTC')).toEqual([]);
    const { body } = await get('symbols/AABB/history?tier=OTC&limit=1');
    expect(body['page']).toMatchObject({ total: 2, has_more: true });
    const cursor = String(body['page']?.['next_cursor']);
    expect(await weeks(`symbols/AABB/history?tier=OTC&limit=1&cursor=${cursor}`)).toEqual([[WEEK_1, '1020']]);
  });
});

describe('GET /data/venues', () => {
  it('lists the venues of a week by rank, as they are known and as they were', async () => {
    expect(await items(`venues?tier=OTC&week=${WEEK_1}`)).toMatchObject([
      { mpid: 'OTCN', rank: 1, total_shares: '1000', share: '0.9671179884', symbol_count: 1 },
      { mpid: 'ARCA', rank: 2, total_shares: '34', share: '0.0328820116', symbol_count: 3 },
    ]);
    expect(await items(`venues?tier=OTC&as_of=${before}&limit=1&offset=1`)).toMatchObject([
      { mpid: 'OTCN', rank: 2, total_shares: '30', week_ending: WEEK_1, captured_at: before },
    ]);
    const unknown = await get('venues?tier=OTC&as_of=2025-01-01');
    expect(unknown.status).toBe(404);
    expect(unknown.body['detail']).toContain(
      'finra.otc_transparency.compute_venue_share calculates the venues',
    );
  });
});

describe('a capture that a replay has made', () => {
  const OLD_WEEK = '2025-12-05';
  const TIER = 'NMS_TIER_2';

  it('is known from its own time on: what was known before stays as it was, also when that is made again', async () => {
    await finra.ingest(OLD_WEEK, [
      { symbol: 'AABB', mpid: 'ARCA', shares: 30, trades: 4, tier: 'NMS Tier 2', updated: '2025-12-08' },
    ]);
    await publish(OLD_WEEK, TIER);
    const [first] = await items(`weeks?tier=${TIER}`);
    expect(first).toMatchObject({ total_shares: '30' });
    const known = String(first?.['captured_at']);

    // A line as the rules before would have refused it.
    const raw = 'NMS Tier 2|LATE|Late Company|NYSE ARCA|ARCA|12|3|2025-12-08';
    const source = sha256Hex('file of the week');
    await writeRejects(finra.engine.db, [
      {
        domain: DOMAIN,
        partitionKey: { tier: TIER, week_ending: OLD_WEEK },
        stage: 'INGESTED',
        reasonCode: 'INVALID_SYMBOL',
        reasonDetail: 'too long for the rules before',
        raw,
        sourceLocator: `week.csv#sha256=${source}`,
        lineNumber: 3,
        recordHash: sha256Hex(raw),
        runId: newId(),
        batchId: null,
        ruleVersion: 'ingest-0',
        sourceHash: source,
      },
    ]);
    expect(await finra.run(REPLAY_REJECTS, { domain: DOMAIN })).toMatchObject({ repaired: 1 });
    const symbols = async (as_of: string | null) =>
      (await items(`symbols?tier=${TIER}${as_of === null ? '' : `&as_of=${as_of}`}`)).map((each) => [
        each['symbol'],
        each['capture_id'],
      ]);
    const before = [['AABB', first?.['capture_id']]];
    // Stored, and not calculated yet.
    expect(await symbols(null)).toEqual(before);
    await publish(OLD_WEEK, TIER);
    const [second] = await items(`weeks?tier=${TIER}`);
    expect(second).toMatchObject({ total_shares: '42', symbol_count: 2 });
    const after = ['AABB', 'LATE'].map((symbol) => [symbol, second?.['capture_id']]);
    expect(await symbols(null)).toEqual(after);
    expect(await symbols(known)).toEqual(before);

    await publish(OLD_WEEK, TIER, { capture_id: first?.['capture_id'], force: true });
    expect(await symbols(known)).toEqual(before);
    expect(await symbols(String(second?.['captured_at']))).toEqual(after);
    expect(await symbols(null)).toEqual(after);
  });
});

describe('a question that cannot be answered', () => {
  it.each([
    ['symbols?tier=OTC&week=2025-12-11', 'week', 'the nearest Fridays are 2025-12-05 and 2025-12-12'],
    ['venues?tier=OTC&week=12/12/2025', 'week', 'not a date'],
    ['weeks', 'tier', 'required'],
    ['weeks?tier=T1', 'tier', 'NMS_TIER_1'],
    ['weeks?tier=OTC&as_of=yesterday', 'as_of', 'must be an instant'],
    ['weeks?tier=OTC&as_of=2025-02-30', 'as_of', 'must be an instant'],
    ['weeks?tier=OTC&limit=0', 'limit', '1'],
    ['weeks?tier=OTC&week=2025-12-12', 'week', 'not a query parameter'],
    ['symbols?tier=OTC&cursor=bm9uZQ', 'cursor', 'next_cursor'],
    ['symbols/a%24b/history?tier=OTC', 'symbol', 'not a symbol'],
    [`symbols/${'x'.repeat(90)}/history?tier=OTC`, 'symbol', 'not a symbol'],
  ])('is refused with what is wrong: %s', async (path, field, message) => {
    const { status, body } = await get(path);
    expect(status).toBe(400);
    const [error] = listIn(body['errors']);
    expect(error).toMatchObject({ field });
    expect(String(error?.['message'])).toContain(message);
    expect(body['detail']).not.toContain(`${field}: ${field}`);
  });
});

describe('among very many rows', () => {
  it('each question finds its rows by an index', async () => {
    await finra.owner.query(`
      INSERT INTO finra_otc_captures (capture_id, week_ending, tier, raw_digest, raw_rows, captured_at, run_id)
      SELECT 'c' || n, date '1990-01-05' + (n / 4) * 7, 'NMS_TIER_1', encode(sha256(('c' || n)::bytea), 'hex'), 1, now() - make_interval(hours => 6001 - n),
        gen_random_uuid() FROM generate_series(1, 6000) n`);
    await finra.owner.query(`
      INSERT INTO finra_otc_week_summary (capture_id, calc_version, week_ending, tier, symbol_count, venue_count, total_shares, total_trades, captured_at, run_id)
      SELECT capture_id, 'v1', week_ending, tier, 1, 1, 1, 1, captured_at, run_id FROM finra_otc_captures WHERE tier = 'NMS_TIER_1'`);
    await finra.owner.query(`
      INSERT INTO finra_otc_symbol_summary (capture_id, calc_version, symbol, week_ending, tier, issue_name, total_shares, total_trades, venue_count, avg_trade_size, captured_at, run_id)
      SELECT capture_id, 'v1', 'S' || s, week_ending, tier, 'n', s, 1, 1, s, captured_at, run_id
      FROM finra_otc_captures, generate_series(1, 100) s WHERE capture_id LIKE 'c7__'`);
    await finra.owner.query(`
      INSERT INTO finra_otc_venue_share (capture_id, calc_version, mpid, week_ending, tier, venue_name, total_shares, total_trades, symbol_count, share, rank, captured_at, run_id)
      SELECT capture_id, 'v1', 'M' || r, week_ending, tier, 'n', 1, 1, 1, 0, r, captured_at, run_id
      FROM finra_otc_captures, generate_series(1, 5) r WHERE capture_id LIKE 'c_%' AND tier = 'NMS_TIER_1'`);
    await finra.owner.query(
      'ANALYZE finra_otc_captures, finra_otc_week_summary, finra_otc_symbol_summary, finra_otc_venue_share',
    );
    const { db, pool } = finra.engine;
    const filter = { tier: 'NMS_TIER_1', asOf: '2030-01-01T00:00:00Z' } as const;
    const week = { captureId: 'c712', calcVersion: 'v1' };
    const page = { limit: 50, offset: 0, after: { totalShares: '90', symbol: 'S1' } };
    const cases = [
      ['finra_otc_week_summary_as_of', 'tier', knownWeeksQuery(db, filter).limit(51)],
      ['finra_otc_symbol_summary_top', 'capture_id', topSymbolsQuery(db, week, page)],
      [
        'finra_otc_symbol_summary_pkey',
        'capture_id',
        symbolHistoryQuery(db, filter, 'S7').select('s.symbol'),
      ],
      ['finra_otc_venue_share_as_of', 'tier', knownVenuesQuery(db, filter, null)],
    ] as const;
    for (const [index, first, query] of cases) {
      const { sql: text, parameters: values } = query.compile();
      const plan = await planOf(pool, 'force_custom_plan', { text, values });
      expect({ index, ...plan }).toMatchObject({ seqScans: [] });
      expect(plan.indexes).toContain(index);
      // By its first column: an index can also be read from its beginning to its end.
      for (const condition of plan.conditions) expect(condition).toMatch(/\((tier|capture_id) = /);
      expect(plan.conditions.join()).toContain(`(${first} = `);
    }
  });
});
