/** Wrong files: each ends in a clear error or in rejects, never in a crash, and nothing is ever half loaded. */
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { addDays, plainDateFromInstant, WeekEnding } from '@spine/core';
import { operationSpec } from '@spine/execution';
import { INGEST_WEEK } from '@spine/finra-otc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HEADER, IngestBed, lineOf, NOTHING } from './finra-ingest-support.ts';

let bed: IngestBed;
beforeAll(async () => {
  bed = await IngestBed.open();
});
afterAll(() => bed.close());
beforeEach(() => bed.clear());

/** More than two batches. */
const MANY = 12_000;
const many = (): string[] => Array.from({ length: MANY }, (_, index) => lineOf(`A${index}`, index));
const GOOD = 'OTC|AABB|Asia Broadband Inc|OTCN OTC LINK NQB IDQS|OTCN|100|7|2025-12-15';
const fields = (index: number, value: string): string => GOOD.split('|').with(index, value).join('|');

/** A file of `size` bytes that takes no room: after its beginning it is one hole. */
function writeSparse(name: string, beginning: string, size: number): string {
  const file = openSync(join(bed.folder, name), 'w');
  writeSync(file, beginning);
  ftruncateSync(file, size);
  closeSync(file);
  return name;
}

describe('a file that is none', () => {
  it.each([
    ['is empty', '', 'ParseError', 'the file is empty'],
    ['holds blank lines alone', '\n \r\n\n', 'ParseError', 'the file is empty'],
    ['is a byte order mark', '\uFEFF', 'ParseError', 'the file is empty'],
    ['has a header and no rows', `${HEADER}\n\n`, 'ParseError', 'has a header and no rows'],
    [
      'has no header',
      `${GOOD}\n`,
      'ParseError',
      'line 1 is not the header of a weekly file: found "OTC|AABB|',
    ],
    [
      'lacks a column',
      `${HEADER.replace('|MPID', '')}\n${GOOD}\n`,
      'ParseError',
      'the first line must be tierDescription|',
    ],
    [
      'has its columns in another order',
      `${HEADER.split('|').reverse().join('|')}\n${GOOD}\n`,
      'ParseError',
      'is not the header',
    ],
    [
      'is delimited by commas',
      `${HEADER}\n${GOOD}\n`.replaceAll('|', ','),
      'ParseError',
      'is not the header',
    ],
    ['is delimited by tabs', `${HEADER}\n${GOOD}\n`.replaceAll('|', '\t'), 'ParseError', 'is not the header'],
    ['is UTF-16', Buffer.from(`\uFEFF${HEADER}\n${GOOD}\n`, 'utf16le'), 'ParseError', 'is not the header'],
    ['is a ZIP', Buffer.from([0x50, 0x4b, 3, 4, 0, 0xff, 0x0a, 0]), 'ParseError', 'is not the header'],
    [
      'names no known tier',
      `${HEADER}\n${fields(0, 'Grey')}\n`,
      'ValidationError',
      'tier: no row of the file names a known tier',
    ],
  ])('because it %s is refused whole', async (_, content, type, message) => {
    writeFileSync(join(bed.folder, 'wrong_20251215.csv'), content);
    const error = await bed.refused({ file_path: 'wrong_20251215.csv' });
    expect(error.type).toBe(type);
    expect(error.message).toContain(message);
  });
});

describe('a wrong row', () => {
  it.each([
    [
      'a column is missing',
      GOOD.replace('|OTCN|', '|'),
      'WRONG_FIELD_COUNT',
      'the line has 7 fields; it must have 8',
    ],
    ['there is a column too many', `${GOOD}|x`, 'WRONG_FIELD_COUNT', 'the line has 9 fields'],
    ['it has another delimiter', GOOD.replaceAll('|', ','), 'WRONG_FIELD_COUNT', 'the line has 1 fields'],
    [
      'shares are no number',
      fields(5, 'many'),
      'INVALID_NUMBER',
      'totalWeeklyShareQuantity: "many" is not a whole number',
    ],
    ['shares are negative', fields(5, '-1'), 'INVALID_NUMBER', '"-1" is not a whole number'],
    ['shares are a fraction', fields(5, '1.5'), 'INVALID_NUMBER', '"1.5"'],
    ['shares are grouped', fields(5, '1,000'), 'INVALID_NUMBER', '"1,000"'],
    ['shares have an exponent', fields(5, '1e9'), 'INVALID_NUMBER', '"1e9"'],
    ['shares are not finite', fields(5, 'Infinity'), 'INVALID_NUMBER', '"Infinity"'],
    ['shares are too many', fields(5, '9'.repeat(19)), 'INVALID_NUMBER', 'at most 18 digits'],
    ['trades are negative', fields(6, '-7'), 'INVALID_NUMBER', 'totalWeeklyTradeCount: "-7"'],
    ['a field is empty', fields(2, ' '), 'NULL_FIELD', 'issueName: "" is empty'],
    [
      'its tier is unknown',
      fields(0, 'NMS Tier 3'),
      'UNKNOWN_TIER',
      'tierDescription: "NMS Tier 3" is not a tier',
    ],
    ['its date is none', fields(7, '2025-02-30'), 'INVALID_DATE', 'lastUpdateDate: "2025-02-30"'],
    ['it holds what is not UTF-8', fields(2, 'Caf\uFFFD'), 'INVALID_TEXT', 'issueName'],
  ])('because %s is a reject beside the good one', async (_, line, reason_code, detail) => {
    const file_path = bed.write('rows_20251215.csv', [HEADER, GOOD, line]);
    expect(await bed.ingest({ file_path })).toMatchObject({ file_rows: 2, inserted: 1, rejected: 1 });
    expect(
      await bed.query(
        'SELECT reason_code, reason_detail, line_number, raw, rule_version, source_hash FROM rejects',
      ),
    ).toEqual([
      {
        reason_code,
        reason_detail: expect.stringContaining(detail) as unknown,
        line_number: 3,
        raw: line,
        rule_version: expect.stringMatching(/^ingest-\d+$/) as unknown,
        source_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
      },
    ]);
  });
});

describe('a large wrong file', () => {
  it('of one line of 1 GB is refused after its first kilobytes', async () => {
    const file_path = writeSparse('endless_20251215.csv', `${HEADER}\n${GOOD}\n`, 1_000_000_000);
    const before = process.memoryUsage.rss();
    const error = await bed.refused({ file_path });
    expect(error).toMatchObject({
      type: 'ParseError',
      message: 'line 3 is longer than 8192 bytes; this is not a weekly file',
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
  });

  it('over 1 GiB is not opened', async () => {
    const file_path = writeSparse('huge_20251215.csv', `${HEADER}\n${GOOD}\n`, 1024 ** 3 + 1);
    expect(await bed.refused({ file_path })).toMatchObject({
      type: 'ValidationError',
      message: expect.stringContaining('has 1073741825 bytes; at most 1073741824 are allowed') as unknown,
    });
  });

  it('that is wrong at its end leaves nothing of its beginning', async () => {
    const file_path = bed.write('late_20251215.csv', [HEADER, ...many(), 'x'.repeat(9_000)]);
    expect((await bed.refused({ file_path })).message).toContain(
      `line ${MANY + 2} is longer than 8192 bytes`,
    );
  });
});

describe('many rows', () => {
  it('that the database refuses in the middle leave nothing, and no further row is written', async () => {
    await bed.owner.query(`CREATE FUNCTION refuse_boom() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.symbol = 'BOOM' THEN RAISE EXCEPTION 'boom' USING ERRCODE = '23514'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER refuse_boom BEFORE INSERT ON finra_otc_transparency_raw
        FOR EACH ROW EXECUTE FUNCTION refuse_boom()`);
    try {
      const lines = many().with(7_000, lineOf('BOOM'));
      const file_path = bed.write('boom_20251215.csv', [HEADER, ...lines]);
      const run = await bed.execute({ file_path }, { maxRetries: 0 });
      expect(run).toMatchObject({
        status: 'dead_lettered',
        error: { message: expect.stringContaining('boom') as unknown },
      });
      expect(await bed.stored()).toEqual(NOTHING);
    } finally {
      await bed.owner.query('DROP FUNCTION refuse_boom CASCADE');
    }
    expect(await bed.ingest({ file_path: 'boom_20251215.csv' })).toMatchObject({ inserted: MANY });
  });

  it('with equal ones far apart keep the first of them, and count the others', async () => {
    const lines = [...many().with(9_000, 'not a row'), lineOf('A3', 3), lineOf('A8000', 8_000), 'not a row'];
    const file_path = bed.write('twice_20251215.csv', [HEADER, ...lines]);
    expect(await bed.ingest({ file_path })).toMatchObject({
      file_rows: MANY + 3,
      inserted: MANY - 1,
      duplicates: 2,
      rejected: 2,
    });
    expect(
      await bed.query(
        `SELECT symbol, source_line::int AS line FROM finra_otc_transparency_raw WHERE symbol IN ('A3', 'A8000') ORDER BY 2`,
      ),
    ).toEqual([
      { symbol: 'A3', line: 5 },
      { symbol: 'A8000', line: 8_002 },
    ]);
    expect(await bed.ingest({ file_path })).toMatchObject({ inserted: 0, duplicates: MANY + 1, rejected: 2 });
  });

  it('with the longest lines there may be are stored as they are', async () => {
    const name = 'ü\\'.repeat(2_600);
    const lines = Array.from({ length: 1_500 }, (_, index) =>
      GOOD.replace('Asia Broadband Inc', name).replace('AABB', `A${index}`),
    );
    const file_path = bed.write('long_20251215.csv', [HEADER, ...lines]);
    expect(await bed.ingest({ file_path })).toMatchObject({ inserted: 1_500, rejected: 0 });
    expect(await bed.query('SELECT DISTINCT issue_name FROM finra_otc_transparency_raw')).toEqual([
      { issue_name: name },
    ]);
  });
});

describe('a week', () => {
  it.each(['2025-12-11', '2025-12-13', '12.12.2025', '2025-02-30'])(
    'that ends on no Friday is refused at the door: %s',
    async (week_ending) => {
      const outcome = await bed.engine.dispatcher.submit(
        operationSpec(INGEST_WEEK, { file_path: 'any.csv', week_ending }),
      );
      expect(outcome).toMatchObject({ type: 'invalid', issues: [{ field: 'params.week_ending' }] });
    },
  );

  it('that is not over is refused by the clock of the database, whoever insists', async () => {
    const [clock] = await bed.query<{ now: Date }>('SELECT now()');
    if (clock === undefined) throw new Error('the database tells no time');
    const next = WeekEnding.fromAnyDate(addDays(plainDateFromInstant(clock.now), 1)).date;
    const file_path = bed.write('rows.csv', [HEADER, GOOD]);
    const error = await bed.refused({ file_path, week_ending: next, force: true });
    expect(error.type).toBe('ValidationError');
    expect(error.message).toContain(`week_ending: ${next} is in the future`);
  });
});
