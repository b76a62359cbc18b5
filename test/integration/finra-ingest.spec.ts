import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { getWatermark, manifestOf } from '@spine/database';
import { operationSpec } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { DOMAIN, INGEST_WEEK, RejectReason } from '@spine/finra-otc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FIXTURES as fixtures, HEADER, IngestBed, lineOf } from './finra-ingest-support.ts';
import { REAL_WEEKS, realWeekName, unpackRealWeeks } from './real-weeks.ts';

const WEEK = 'finra_otc_weekly_otc_20251215.csv';
const BROKEN = 'finra_otc_weekly_otc_broken_20251222.csv';

let bed: IngestBed;
let engine: Engine;
let own: string;

beforeAll(async () => {
  bed = await IngestBed.open();
  ({ engine, folder: own } = bed);
});
afterAll(() => bed.close());
beforeEach(() => bed.clear());

const ingest = (...given: Parameters<IngestBed['ingest']>) => bed.ingest(...given);
const refused = (...given: Parameters<IngestBed['refused']>) => bed.refused(...given);
const query = <R extends object>(text: string, values?: readonly unknown[]) => bed.query<R>(text, values);
const stored = () => bed.stored();
const write = (...given: Parameters<IngestBed['write']>) => bed.write(...given);

/** What a file says, read by other means than the ingest's: whole, split at line feeds and bars. */
function readWhole(path: string): { sha256: string; rows: number; shares: bigint; trades: bigint } {
  const bytes = readFileSync(path);
  const lineFeeds = bytes.filter((byte) => byte === 0x0a).length;
  const fields = bytes
    .toString('latin1')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('|'));
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    rows: lineFeeds - 1,
    shares: fields.reduce((sum, row) => sum + BigInt(row[5] ?? ''), 0n),
    trades: fields.reduce((sum, row) => sum + BigInt(row[6] ?? ''), 0n),
  };
}

const TOTALS = `SELECT count(*)::int AS rows, sum(total_shares)::text AS shares, sum(total_trades)::text AS trades
  FROM finra_otc_transparency_raw WHERE week_ending = $1::date AND tier = $2`;

describe('a weekly file', () => {
  it('is stored row by row, with its clocks and where each row came from', async () => {
    const file = readWhole(join(fixtures, WEEK));
    const result = await ingest({ file_path: WEEK }, { correlationId: 'batch-7' });
    expect(result).toMatchObject({
      file_path: WEEK,
      file_sha256: file.sha256,
      week_ending: '2025-12-12',
      tier: 'OTC',
      file_rows: 60,
      inserted: 60,
      duplicates: 0,
      rejected: 0,
    });
    expect(await query(TOTALS, ['2025-12-12', 'OTC'])).toEqual([
      { rows: 60, shares: String(file.shares), trades: String(file.trades) },
    ]);
    const [first] = await query(
      `SELECT record_hash, week_ending::text, tier, symbol, issue_name, venue_name, mpid, total_shares::text,
        total_trades, last_update_date::text, capture_id, source_file, source_sha256, source_line, run_id, batch_id,
        capture_id = 'finra.otc_transparency:OTC:2025-12-12:' || to_char(captured_at AT TIME ZONE 'UTC', 'YYYYMMDD')
          AS capture_id_tells_the_day,
        captured_at BETWEEN (SELECT created_at FROM runs WHERE id = run_id) AND now() AS captured_by_the_run
      FROM finra_otc_transparency_raw ORDER BY source_line LIMIT 1`,
    );
    expect(first).toEqual({
      record_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      week_ending: '2025-12-12',
      tier: 'OTC',
      symbol: 'AABB',
      issue_name: 'Asia Broadband Inc Common Stock',
      venue_name: 'OTCN OTC LINK NQB IDQS',
      mpid: 'OTCN',
      total_shares: '6753871',
      total_trades: 171,
      last_update_date: '2025-12-15',
      capture_id: result.capture_id,
      source_file: WEEK,
      source_sha256: file.sha256,
      source_line: 2,
      run_id: result.runId,
      batch_id: 'batch-7',
      capture_id_tells_the_day: true,
      captured_by_the_run: true,
    });
  });

  it('moves the manifest of its week and tier', async () => {
    const { runId, file_sha256, capture_id } = await ingest({ file_path: WEEK });
    const stages = await manifestOf(engine.db, DOMAIN, { week_ending: '2025-12-12', tier: 'OTC' });
    expect(stages).toMatchObject([
      {
        stage: 'INGESTED',
        rowCount: 60,
        runId,
        metrics: {
          file_rows: 60,
          inserted: 60,
          duplicates: 0,
          rejected: 0,
          file_sha256,
          capture_id,
          source_file: WEEK,
        },
      },
    ]);
  });

  it('moves its watermark and makes its asset in the transaction that ends the run', async () => {
    const week = await ingest({ file_path: WEEK });
    await ingest({
      file_path: write('later.csv', [HEADER, lineOf('AABB')]),
      week_ending: '2025-12-19',
      force: true,
    });
    // The same file and an older week produce nothing new and move nothing back.
    await ingest({ file_path: WEEK });
    const mark = await getWatermark(engine.db, DOMAIN, 'weekly_files', { tier: 'OTC' });
    expect(mark?.highWater).toBe('2025-12-19');
    const made = await query(
      `SELECT partition_key, data_version, row_count::int, xmin::text = (SELECT xmin::text FROM runs r WHERE r.id = m.run_id) AS together
       FROM asset_materializations m WHERE asset_key = 'finra/otc_transparency/raw' ORDER BY materialization_id`,
    );
    expect(made).toMatchObject([
      {
        partition_key: '{"tier":"OTC","week_ending":"2025-12-12"}',
        data_version: week.file_sha256,
        row_count: 60,
        together: true,
      },
      { partition_key: '{"tier":"OTC","week_ending":"2025-12-19"}', row_count: 1, together: true },
    ]);
  });

  it('inserts nothing the second time, whatever it is called, and forced or not', async () => {
    const first = await ingest({ file_path: WEEK });
    writeFileSync(join(own, 'copy_20251215.csv'), readFileSync(join(fixtures, WEEK)));
    const again = [{ file_path: WEEK }, { file_path: WEEK, force: true }, { file_path: 'copy_20251215.csv' }];
    for (const params of again) {
      expect(await ingest(params)).toMatchObject({ file_rows: 60, inserted: 0, duplicates: 60, rejected: 0 });
    }
    expect(await query('SELECT DISTINCT run_id FROM finra_otc_transparency_raw')).toEqual([
      { run_id: first.runId },
    ]);
    const [stage] = await manifestOf(engine.db, DOMAIN, { week_ending: '2025-12-12', tier: 'OTC' });
    expect(stage).toMatchObject({ rowCount: 60, metrics: { inserted: 0, duplicates: 60 } });
  });

  it('stores a row that changed as another version of it', async () => {
    await ingest({
      file_path: write('first_20251215.csv', [HEADER, lineOf('AABB', 10), lineOf('AACAY', 5)]),
    });
    const changed = write('changed_20251215.csv', [HEADER, lineOf('AABB', 11), lineOf('AACAY', 5)]);
    expect(await ingest({ file_path: changed })).toMatchObject({ inserted: 1, duplicates: 1 });
    expect(
      await query(
        `SELECT total_shares::text AS shares FROM finra_otc_transparency_raw WHERE symbol = 'AABB' ORDER BY 1`,
      ),
    ).toEqual([{ shares: '10' }, { shares: '11' }]);
  });

  it('may have CR LF line ends, a byte order mark, blank lines, and the same row twice', async () => {
    const lines = [`\uFEFF${HEADER}`, lineOf('AABB'), '', lineOf('AACAY'), ' ', lineOf('AABB')];
    const result = await ingest({ file_path: write('crlf_20251215.csv', lines, '\r\n') });
    expect(result).toMatchObject({ file_rows: 3, inserted: 2, duplicates: 1, rejected: 0 });
    expect(await query('SELECT source_line FROM finra_otc_transparency_raw ORDER BY 1')).toEqual([
      { source_line: 2 },
      { source_line: 4 },
    ]);
  });

  it('takes its week from its rows when its name tells none', async () => {
    expect(await ingest({ file_path: write('weekly.csv', [HEADER, lineOf('AABB')]) })).toMatchObject({
      week_ending: '2025-12-12',
    });
  });
});

describe('bad rows', () => {
  it('are rejected with line, reason and source, once however often they come, and the good ones are stored', async () => {
    const bytes = readFileSync(join(fixtures, BROKEN));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const first = await ingest({ file_path: BROKEN });
    expect(first).toMatchObject({
      week_ending: '2025-12-19',
      file_rows: 11,
      inserted: 2,
      duplicates: 1,
      rejected: 8,
    });
    const rejects = await query<{ line_number: number; reason_code: string }>(
      'SELECT line_number, reason_code FROM rejects ORDER BY line_number',
    );
    expect(rejects).toEqual([
      { line_number: 3, reason_code: 'WRONG_FIELD_COUNT' },
      { line_number: 4, reason_code: 'NULL_FIELD' },
      { line_number: 5, reason_code: 'INVALID_NUMBER' },
      { line_number: 6, reason_code: 'INVALID_DATE' },
      { line_number: 7, reason_code: 'INVALID_SYMBOL' },
      { line_number: 8, reason_code: 'UNKNOWN_TIER' },
      { line_number: 9, reason_code: 'TIER_MISMATCH' },
      { line_number: 10, reason_code: 'INVALID_TEXT' },
    ]);
    expect(rejects.map((reject) => reject.reason_code).sort()).toEqual(Object.values(RejectReason).sort());
    const raw = 'OTC|BAD$YM|Aadi Bioscience Common Stock|OTCN OTC LINK NQB IDQS|OTCN|100|1|2025-12-22';
    const rejectOfSymbol = `SELECT domain, partition_key, stage, reason_detail, raw, source_locator, record_hash, run_id
      FROM rejects WHERE reason_code = 'INVALID_SYMBOL'`;
    const expected = {
      domain: 'finra.otc_transparency',
      partition_key: '{"tier":"OTC","week_ending":"2025-12-19"}',
      stage: 'INGESTED',
      reason_detail: expect.stringContaining('issueSymbolIdentifier: "BAD$YM" is not a symbol') as unknown,
      raw,
      source_locator: `${BROKEN}#sha256=${sha256}`,
      record_hash: createHash('sha256').update(raw).digest('hex'),
      run_id: first.runId,
    };
    expect(await query(rejectOfSymbol)).toEqual([expected]);

    expect(await ingest({ file_path: BROKEN })).toMatchObject({ inserted: 0, duplicates: 3, rejected: 8 });
    expect(await stored()).toMatchObject({ rows: 2, rejects: 8 });
    expect(await query(rejectOfSymbol)).toEqual([expected]);
  });

  it('may hold what Postgres cannot store', async () => {
    const file = write('nul_20251215.csv', [
      HEADER,
      lineOf('AABB'),
      'OTC|A\0B|\x01|\0',
      'OTC|A\0B|n|v|OTCN|1|1|2025-12-15',
    ]);
    expect(await ingest({ file_path: file })).toMatchObject({ inserted: 1, rejected: 2 });
    expect(await query('SELECT reason_code, raw FROM rejects ORDER BY line_number')).toEqual([
      { reason_code: 'WRONG_FIELD_COUNT', raw: 'OTC|A\uFFFDB|\x01|\uFFFD' },
      { reason_code: 'INVALID_TEXT', raw: 'OTC|A\uFFFDB|n|v|OTCN|1|1|2025-12-15' },
    ]);
  });

  it('may be all there is, and more than one statement writes', async () => {
    const lines = Array.from({ length: 2_345 }, (_, index) => lineOf(`A${index}`, index, 'NMS Tier 1'));
    const file = write('mismatch_20251215.csv', [HEADER, ...lines]);
    expect(await ingest({ file_path: file, tier: 'OTC' })).toMatchObject({
      tier: 'OTC',
      file_rows: 2_345,
      rejected: 2_345,
    });
    expect(
      await query('SELECT reason_code, count(*)::int AS n, max(line_number) AS last FROM rejects GROUP BY 1'),
    ).toEqual([{ reason_code: 'TIER_MISMATCH', n: 2_345, last: 2_346 }]);
    expect(await ingest({ file_path: file })).toMatchObject({
      tier: 'NMS_TIER_1',
      inserted: 2_345,
      rejected: 0,
    });
  });
});

describe('a file that is no weekly file', () => {
  it.each([
    ['empty', []],
    ['headless', [lineOf('AABB')]],
    ['comma', [HEADER.replaceAll('|', ','), 'a,b']],
    ['long', [HEADER, lineOf('AABB'), 'x'.repeat(10_000)]],
  ])('is refused whole: %s', async (name, lines) => {
    const error = await refused({ file_path: write(`${name}_20251215.csv`, lines) });
    expect(error.type).toBe('ParseError');
  });

  it('is refused when its week or its tier cannot be told, and taken when the caller tells', async () => {
    const dateless = write('dateless.csv', [HEADER, lineOf('AABB').replace('2025-12-15', 'soon')]);
    expect((await refused({ file_path: dateless })).message).toMatch(/^week_ending: /);
    const tierless = write('tierless_20251215.csv', [HEADER, lineOf('AABB', 1, 'Grey')]);
    expect((await refused({ file_path: tierless })).message).toMatch(/^tier: /);
    expect(await ingest({ file_path: dateless, week_ending: '2025-12-12' })).toMatchObject({ rejected: 1 });
    expect(await ingest({ file_path: tierless, tier: 'OTC' })).toMatchObject({ rejected: 1 });
    expect(await query('SELECT reason_code FROM rejects ORDER BY 1')).toEqual([
      { reason_code: 'INVALID_DATE' },
      { reason_code: 'UNKNOWN_TIER' },
    ]);
  });
});

describe('the week that is asked for', () => {
  it('must be the one of the file, unless the caller insists', async () => {
    const error = await refused({ file_path: WEEK, week_ending: '2025-12-05' });
    expect(error).toMatchObject({
      type: 'ValidationError',
      message: expect.stringMatching(/^week_ending: 2025-12-05/) as unknown,
    });

    const { runId, week_ending } = await ingest({ file_path: WEEK, week_ending: '2025-12-05', force: true });
    expect(week_ending).toBe('2025-12-05');
    expect(await query(TOTALS, ['2025-12-05', 'OTC'])).toMatchObject([{ rows: 60 }]);
    expect(
      await query(
        `SELECT data FROM run_events WHERE run_id = $1 AND event_type = 'week_ending_contradicted'`,
        [runId],
      ),
    ).toEqual([
      {
        data: {
          week_ending: '2025-12-05',
          source: 'week_ending',
          contradicted_by: [
            { source: 'file_name', week_ending: '2025-12-12' },
            { source: 'last_update_date', week_ending: '2025-12-12' },
          ],
        },
      },
    ]);
  });

  it('may be said where it is the one of the file', async () => {
    expect(await ingest({ file_path: WEEK, week_ending: '2025-12-12', tier: 'OTC' })).toMatchObject({
      inserted: 60,
    });
  });
});

describe('file_path', () => {
  const socket = createServer();

  beforeAll(async () => {
    symlinkSync('/etc/passwd', join(own, 'escape.csv'));
    mkdirSync(join(own, 'folder.csv'));
    execFileSync('mkfifo', [join(own, 'fifo.csv')]);
    await new Promise<void>((listening) => socket.listen(join(own, 'socket.csv'), listening));
  });

  afterAll(() => new Promise((closed) => socket.close(closed)));

  it.each([
    '/etc/passwd',
    '/missing/finra.csv',
    'missing.csv',
    'escape.csv',
    'folder.csv',
    'fifo.csv',
    'socket.csv',
  ])('is refused for good when it is no file inside the data roots: %s', async (file_path) => {
    expect(await refused({ file_path })).toMatchObject({
      type: 'ValidationError',
      message:
        `file_path: ${JSON.stringify(file_path)} names no regular file inside the data roots; ` +
        'allowed are paths relative to a data root, or absolute ones in it',
    });
  });

  it.each(['../secrets.csv', 'a/../../b.csv', '', 'a\0b.csv'])(
    'is refused at the door: %j',
    async (file_path) => {
      const outcome = await engine.dispatcher.submit(operationSpec(INGEST_WEEK, { file_path }));
      expect(outcome).toMatchObject({ type: 'invalid', issues: [{ field: 'params.file_path' }] });
    },
  );
});

describe('a real week', () => {
  beforeAll(() => unpackRealWeeks(own));

  it.each(REAL_WEEKS)(
    'published on $published is stored whole, and nothing of it the second time',
    async ({ published, week }) => {
      const file_path = join(own, realWeekName(published));
      const file = readWhole(file_path);
      expect(file.rows).toBeGreaterThan(5_000);
      expect(await ingest({ file_path })).toMatchObject({
        file_sha256: file.sha256,
        week_ending: week,
        tier: 'OTC',
        file_rows: file.rows,
        inserted: file.rows,
        duplicates: 0,
        rejected: 0,
      });
      const totals = [{ rows: file.rows, shares: String(file.shares), trades: String(file.trades) }];
      expect(await query(TOTALS, [week, 'OTC'])).toEqual(totals);
      expect(await ingest({ file_path })).toMatchObject({ inserted: 0, duplicates: file.rows, rejected: 0 });
      expect(await query(TOTALS, [week, 'OTC'])).toEqual(totals);
    },
  );
});
