/** From raw rows to one row a symbol and venue: what counts, what is refused and why, and that every row is accounted for. */
import { AGGREGATE_WEEK, DOMAIN, NORMALIZE_WEEK, NormalizeReason } from '@spine/finra-otc';
import { listRejects, writeRejects } from '@spine/database';
import { REPLAY_REJECTS } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openFinra } from './finra-support.ts';
import type { FinraBed } from './finra-support.ts';

const WEEK = '2025-12-12';
const OF = { week_ending: WEEK, tier: 'OTC' };

let finra: FinraBed;
beforeAll(async () => {
  finra = await openFinra();
});
beforeEach(() => finra.clear());
afterAll(() => finra.close());

const NORMALIZED = `SELECT symbol, mpid, total_shares::text AS shares, total_trades::text AS trades
  FROM finra_otc_normalized ORDER BY capture_id, symbol, mpid`;

describe('normalizing a week', () => {
  it('keeps one row a symbol and venue, under the clean symbol, and names its raw row', async () => {
    const ingested = await finra.ingest(WEEK, [
      { symbol: 'BRK/B', mpid: 'ARCA', shares: 100, trades: 2 },
      { symbol: 'AABB', mpid: 'OTCN', shares: 50, trades: 1 },
    ]);
    const result = await finra.run(NORMALIZE_WEEK, OF);
    expect(result).toMatchObject({
      skipped: false,
      calc: 'normalize',
      calc_version: 'v1',
      stage: 'NORMALIZED',
      capture_id: ingested['capture_id'],
      rows_in: 2,
      accepted: 2,
      rejected: 0,
      duplicates: 0,
      superseded: 0,
      rows: 2,
      warnings: [],
    });
    expect(await finra.query(NORMALIZED)).toEqual([
      { symbol: 'AABB', mpid: 'OTCN', shares: '50', trades: '1' },
      { symbol: 'BRK.B', mpid: 'ARCA', shares: '100', trades: '2' },
    ]);
    expect(
      await finra.query(
        `SELECT r.symbol, r.source_line FROM finra_otc_normalized n JOIN finra_otc_transparency_raw r USING (record_hash)
         WHERE n.symbol = 'BRK.B'`,
      ),
    ).toEqual([{ symbol: 'BRK/B', source_line: 2 }]);
  });

  it('refuses what cannot count, each with its reason, and still adds up', async () => {
    await finra.ingest(WEEK, [
      { symbol: 'AABB', mpid: 'OTCN', shares: 50, trades: 1 },
      { symbol: 'ZVZZT', mpid: 'OTCN', shares: 500, trades: 5 },
      { symbol: 'FEWER', mpid: 'OTCN', shares: 3, trades: 4 },
      { symbol: 'EARLY', mpid: 'OTCN', shares: 9, trades: 4, updated: '2025-12-11' },
      { symbol: 'NONE', mpid: 'OTCN', shares: 0, trades: 0 },
    ]);
    expect(await finra.run(NORMALIZE_WEEK, OF)).toMatchObject({ rows_in: 5, accepted: 2, rejected: 3 });
    const rejects = await finra.query(
      `SELECT reason_code, reason_detail, raw, line_number, partition_key FROM rejects WHERE stage = 'NORMALIZED' ORDER BY line_number`,
    );
    const partition_key = '{"tier":"OTC","week_ending":"2025-12-12"}';
    expect(rejects).toEqual([
      {
        reason_code: NormalizeReason.TEST_ISSUE,
        reason_detail: 'symbol: ZVZZT is a security to test systems with',
        raw: 'OTC|ZVZZT|Name of ZVZZT|VENUE OTCN|OTCN|500|5|2025-12-12',
        line_number: 3,
        partition_key,
      },
      {
        reason_code: NormalizeReason.INCONSISTENT_COUNTS,
        reason_detail: 'total_shares, total_trades: 3 shares in 4 trades; a trade has at least one share',
        raw: 'OTC|FEWER|Name of FEWER|VENUE OTCN|OTCN|3|4|2025-12-12',
        line_number: 4,
        partition_key,
      },
      {
        reason_code: NormalizeReason.UPDATED_BEFORE_WEEK_END,
        reason_detail: 'last_update_date: 2025-12-11 is before 2025-12-12, the end of the week',
        raw: 'OTC|EARLY|Name of EARLY|VENUE OTCN|OTCN|9|4|2025-12-11',
        line_number: 5,
        partition_key,
      },
    ]);
    expect(await finra.run(NORMALIZE_WEEK, { ...OF, force: true })).toMatchObject({ rejected: 3 });
    expect(await finra.query(`SELECT 1 FROM rejects WHERE stage = 'NORMALIZED'`)).toHaveLength(3);
  });

  it('takes the newest of several figures, and counts the others as duplicates or superseded', async () => {
    await finra.ingest(WEEK, [
      { symbol: 'AABB', mpid: 'OTCN', shares: 10, trades: 1, updated: '2025-12-22' },
      { symbol: 'AABB', mpid: 'OTCN', shares: 20, trades: 1, updated: '2025-12-15' },
      { symbol: 'AABB', mpid: 'OTCN', shares: 10, trades: 1, updated: '2025-12-15' },
      { symbol: 'BRK.B', mpid: 'OTCN', shares: 5, trades: 1 },
      { symbol: 'BRK B', mpid: 'OTCN', shares: 6, trades: 1 },
    ]);
    expect(await finra.run(NORMALIZE_WEEK, OF)).toMatchObject({
      rows_in: 5,
      accepted: 2,
      rejected: 0,
      duplicates: 1,
      superseded: 2,
    });
    expect(await finra.query(NORMALIZED)).toEqual([
      { symbol: 'AABB', mpid: 'OTCN', shares: '10', trades: '1' },
      // One date and one capture: the later line.
      { symbol: 'BRK.B', mpid: 'OTCN', shares: '6', trades: '1' },
    ]);
  });

  it('understands other names of a tier, and no others', async () => {
    await finra.ingest(WEEK, [{ symbol: 'AABB', mpid: 'OTCN', shares: 10, trades: 1, tier: 'NMS Tier 1' }]);
    for (const tier of ['T1', 'nms tier 1', 'NMS_TIER_1', 'Tier-1']) {
      expect(await finra.run(NORMALIZE_WEEK, { week_ending: WEEK, tier, force: true })).toMatchObject({
        partition: { tier: 'NMS_TIER_1', week_ending: WEEK },
      });
    }
    for (const tier of ['T3', 'constructor', '']) {
      const outcome = await finra.engine.dispatcher.submit({
        kind: 'operation',
        name: NORMALIZE_WEEK,
        params: { week_ending: WEEK, tier },
      });
      expect(outcome).toMatchObject({ type: 'invalid', issues: [{ field: 'params.tier' }] });
    }
  });

  it('is kept out when no row can count: the check is stored, nothing else', async () => {
    await finra.ingest(WEEK, [{ symbol: 'ZVZZT', mpid: 'OTCN', shares: 500, trades: 5 }]);
    const error = await finra.fails(NORMALIZE_WEEK, OF);
    expect(error).toMatchObject({ type: 'QualityGateError' });
    expect(error.message).toContain('rows_accepted: 0 rows; at least 1 are expected');
    expect(
      await finra.query(`SELECT check_name, status, stage FROM quality_results ORDER BY check_name`),
    ).toEqual([
      { check_name: 'rows_accepted', status: 'FAIL', stage: 'NORMALIZED' },
      { check_name: 'rows_accounted_for', status: 'PASS', stage: 'NORMALIZED' },
      { check_name: 'symbol_and_venue_once', status: 'PASS', stage: 'NORMALIZED' },
    ]);
    expect(await finra.query(`SELECT severity, category FROM anomalies`)).toEqual([
      { severity: 'ERROR', category: 'QUALITY_GATE' },
    ]);
    const [left] = await finra.query(
      `SELECT (SELECT count(*) FROM finra_otc_captures)::int AS captures, (SELECT count(*) FROM finra_otc_normalized)::int AS rows,
         (SELECT count(*) FROM rejects)::int AS rejects, (SELECT count(*) FROM manifest WHERE stage = 'NORMALIZED')::int AS stages`,
    );
    expect(left).toEqual({ captures: 0, rows: 0, rejects: 0, stages: 0 });
  });
});

describe('a capture', () => {
  const first = [{ symbol: 'AABB', mpid: 'OTCN', shares: 10, trades: 1, updated: '2025-12-15' }];
  const corrected = [{ symbol: 'AABB', mpid: 'OTCN', shares: 11, trades: 1, updated: '2025-12-22' }];

  it('is a set of raw rows: more rows are another capture, on another day or the same', async () => {
    await finra.ingest(WEEK, first);
    const one = await finra.run(NORMALIZE_WEEK, OF);
    await finra.ingest(WEEK, corrected);
    const two = await finra.run(NORMALIZE_WEEK, OF);
    expect(two).toMatchObject({ skipped: false, rows_in: 2, accepted: 1, superseded: 1 });
    expect(two['capture_id']).toBe(`${String(one['capture_id'])}:2`);
    expect(await finra.query(NORMALIZED)).toEqual([
      { symbol: 'AABB', mpid: 'OTCN', shares: '10', trades: '1' },
      { symbol: 'AABB', mpid: 'OTCN', shares: '11', trades: '1' },
    ]);
    // The same rows again are the same capture.
    await finra.ingest(WEEK, corrected);
    expect(await finra.run(NORMALIZE_WEEK, OF)).toMatchObject({ skipped: true });
    expect(await finra.query('SELECT 1 FROM finra_otc_captures')).toHaveLength(2);
  });

  it('can be made later, of what an ingest had left behind', async () => {
    const { capture_id } = await finra.ingest(WEEK, first);
    await finra.age(3);
    await finra.ingest(WEEK, corrected);
    // As one of three days ago the ids differ by their day; here both are of today.
    await finra.owner.query(
      `UPDATE finra_otc_transparency_raw SET capture_id = 'earlier' WHERE total_shares = 10`,
    );
    expect(await finra.run(NORMALIZE_WEEK, { ...OF, capture_id: 'earlier' })).toMatchObject({
      capture_id: 'earlier',
      rows_in: 1,
    });
    expect(await finra.run(NORMALIZE_WEEK, OF)).toMatchObject({ capture_id, rows_in: 2 });
    // The older one has a manifest entry of its own.
    await finra.run(AGGREGATE_WEEK, { ...OF, capture_id: 'earlier' });
    const stages = await finra.query(
      `SELECT partition_key, stage FROM manifest WHERE stage <> 'INGESTED' ORDER BY 2, 1`,
    );
    expect(stages).toEqual([
      {
        partition_key: '{"capture_id":"earlier","tier":"OTC","week_ending":"2025-12-12"}',
        stage: 'AGGREGATED',
      },
      { partition_key: '{"tier":"OTC","week_ending":"2025-12-12"}', stage: 'NORMALIZED' },
    ]);
  });

  it('that is named must hold what it held', async () => {
    await finra.ingest(WEEK, first);
    const { capture_id } = await finra.run(NORMALIZE_WEEK, OF);
    await finra.owner.query(`UPDATE finra_otc_captures SET captured_at = captured_at + interval '1 day'`);
    await finra.ingest(WEEK, corrected);
    const error = await finra.fails(NORMALIZE_WEEK, { ...OF, capture_id });
    expect(error).toMatchObject({ type: 'CaptureChangedError' });
    expect(error.message).toContain('held 1 rows and now would hold 2');
    expect(await finra.query(NORMALIZED)).toHaveLength(1);
  });

  it('that nobody made is refused with those there are', async () => {
    await finra.ingest(WEEK, first);
    const { capture_id } = await finra.run(NORMALIZE_WEEK, OF);
    const error = await finra.fails(NORMALIZE_WEEK, { ...OF, capture_id: 'no-such' });
    expect(error).toMatchObject({ type: 'MissingInputError' });
    expect(error.message).toContain(String(capture_id));
  });
});

describe('an ingest that is under way', () => {
  it('is waited for, so that a capture is whole', async () => {
    await finra.ingest(WEEK, [{ symbol: 'AABB', mpid: 'OTCN', shares: 10, trades: 1 }]);
    const ingest = await finra.owner.connect();
    await ingest.query('BEGIN');
    await ingest.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${DOMAIN}:OTC:${WEEK}`]);
    const normalizing = finra.run(NORMALIZE_WEEK, OF);
    await waitFor(
      async () => {
        const waiting = await finra.query(
          `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        return waiting.length === 1;
      },
      { message: 'the normalizing run waits' },
    );
    await ingest.query(
      `INSERT INTO finra_otc_transparency_raw SELECT (jsonb_populate_record(r, jsonb_build_object('mpid', 'ARCA', 'record_hash', repeat('a', 64)))).*
       FROM finra_otc_transparency_raw r`,
    );
    await ingest.query('COMMIT');
    ingest.release();
    expect(await normalizing).toMatchObject({ rows_in: 2, accepted: 2 });
  });
});

describe('a replay of what normalizing has refused', () => {
  const REPLAY = { domain: DOMAIN, stage: 'NORMALIZED' };

  it('closes what is among the rows by now, and says what to run for what is not yet', async () => {
    await finra.ingest(WEEK, [
      { symbol: 'AABB', mpid: 'OTCN', shares: 30, trades: 7 },
      { symbol: 'BBCC', mpid: 'OTCN', shares: 20, trades: 5 },
      { symbol: 'ZVZZT', mpid: 'ARCA', shares: 999, trades: 9 },
    ]);
    await finra.run(NORMALIZE_WEEK, OF);
    const { db } = finra.engine;
    const [refused] = (await listRejects(db, { domain: DOMAIN }, { limit: 10 })).items;
    expect(refused).toMatchObject({ reasonCode: 'TEST_ISSUE', ruleVersion: 'normalize-v1' });
    if (refused === undefined) throw new Error('nothing was refused');
    const raw = await finra.query<{ symbol: string; record_hash: string }>(
      'SELECT symbol, record_hash FROM finra_otc_transparency_raw',
    );
    // As rules before these would have refused two rows that pass now.
    const refusedBefore = (symbol: string) => {
      const recordHash = raw.find((row) => row.symbol === symbol)?.record_hash ?? '';
      return { ...refused, ruleVersion: 'normalize-v0', reasonCode: 'INVALID_SYMBOL', recordHash };
    };
    await writeRejects(db, [refusedBefore('AABB'), refusedBefore('BBCC')]);
    // The set of rows as those rules had made it.
    await finra.query("DELETE FROM finra_otc_normalized WHERE symbol = 'BBCC'");

    const replayed = await finra.run(REPLAY_REJECTS, REPLAY);
    expect(replayed).toMatchObject({ replayed: 3, repaired: 0, superseded: 1, still_rejected: 2 });
    expect(replayed).toMatchObject({ rule_versions: { NORMALIZED: 'normalize-v1' } });
    const said = await finra.query(
      'SELECT outcome, reason_code, reason_detail FROM reject_repairs ORDER BY reject_id',
    );
    expect(said).toEqual([
      { outcome: 'still_rejected', reason_code: 'TEST_ISSUE', reason_detail: refused.reasonDetail },
      { outcome: 'superseded', reason_code: null, reason_detail: null },
      {
        outcome: 'still_rejected',
        reason_code: 'INVALID_SYMBOL',
        reason_detail: expect.stringContaining(`run ${NORMALIZE_WEEK} with force: true`) as string,
      },
    ]);

    await finra.run(NORMALIZE_WEEK, { ...OF, force: true });
    expect(await finra.run(REPLAY_REJECTS, REPLAY)).toMatchObject({ superseded: 1, still_rejected: 1 });
    const open = await listRejects(db, { domain: DOMAIN, open: true }, { limit: 10 });
    expect(open.items.map(({ rejectId }) => rejectId)).toEqual([refused.rejectId]);
  });
});
