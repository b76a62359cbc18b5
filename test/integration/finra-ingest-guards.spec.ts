/** An ingest beside others, one that loses its run or its file, and what the table itself refuses. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pool } from '@spine/database';
import { operationSpec } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { INGEST_WEEK } from '@spine/finra-otc';
import { waitFor } from '@spine/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HEADER, IngestBed, lineOf } from './finra-ingest-support.ts';

const WEEK = 'finra_otc_weekly_otc_20251215.csv';

let bed: IngestBed;
let engine: Engine;
let owner: Pool;
let own: string;

beforeAll(async () => {
  bed = await IngestBed.open();
  ({ engine, owner, folder: own } = bed);
});
afterAll(() => bed.close());
beforeEach(() => bed.clear());

const execute = (...given: Parameters<IngestBed['execute']>) => bed.execute(...given);
const ingest = (...given: Parameters<IngestBed['ingest']>) => bed.ingest(...given);
const query = <R extends object>(text: string, values?: readonly unknown[]) => bed.query<R>(text, values);
const stored = () => bed.stored();
const write = (...given: Parameters<IngestBed['write']>) => bed.write(...given);

describe('an ingest', () => {
  const ADVISORY = `SELECT granted FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE locktype = 'advisory' AND datname = current_database()`;

  /** Holds the partition of `WEEK` until `meanwhile` is over; an ingest waits for it when it has read its file once. */
  async function whileHeld<T>(meanwhile: () => Promise<T>): Promise<T> {
    const client = await owner.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `SELECT pg_advisory_xact_lock(hashtextextended('finra.otc_transparency:OTC:2025-12-12', 0))`,
      );
      return await meanwhile();
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  async function ingestWaits(): Promise<void> {
    await waitFor(async () => (await query<{ granted: boolean }>(ADVISORY)).some((lock) => !lock.granted), {
      message: 'the ingest to wait for its partition',
    });
  }

  it('that lost its run leaves nothing', async () => {
    const runId = await whileHeld(async () => {
      const submitted = await engine.dispatcher.submit(operationSpec(INGEST_WEEK, { file_path: WEEK }));
      if (submitted.type !== 'accepted') throw new Error(submitted.type);
      await ingestWaits();
      await engine.dispatcher.cancel(submitted.runId);
      return submitted.runId;
    });
    await waitFor(async () => (await query(ADVISORY)).length === 0, {
      message: 'the end of its transaction',
    });
    expect(await engine.dispatcher.get(runId)).toMatchObject({ status: 'cancelled' });
    expect(await stored()).toEqual({ rows: 0, rejects: 0, manifest: 0 });
  });

  it('is captured when its turn comes, so that captures are ordered as they commit', async () => {
    const { before, ended } = await whileHeld(async () => {
      const run = ingest({ file_path: WEEK });
      await ingestWaits();
      const [clock] = await query<{ before: string }>('SELECT clock_timestamp()::text AS before');
      return { before: clock?.before, ended: run };
    });
    await ended;
    expect(
      await query(
        `SELECT count(DISTINCT captured_at)::int AS times, min(captured_at) > $1::timestamptz AS behind_the_lock
         FROM finra_otc_transparency_raw`,
        [before],
      ),
    ).toEqual([{ times: 1, behind_the_lock: true }]);
  });

  it('whose file changes under it leaves nothing, and may try again', async () => {
    const file_path = write('growing_20251215.csv', [HEADER, lineOf('AABB')]);
    const { ended } = await whileHeld(async () => {
      const run = execute({ file_path }, { maxRetries: 0 });
      await ingestWaits();
      appendFileSync(join(own, file_path), `${lineOf('AACAY')}\n`);
      return { ended: run };
    });
    expect(await ended).toMatchObject({
      status: 'dead_lettered',
      error: {
        type: 'SourceError',
        message: `${file_path} changed while it was read; nothing was stored`,
        retryable: true,
      },
    });
    expect(await stored()).toEqual({ rows: 0, rejects: 0, manifest: 0 });
    expect(await ingest({ file_path })).toMatchObject({ inserted: 2 });
  });

  it('beside another one of the same rows, in the opposite order, stores each row once', async () => {
    const lines = Array.from({ length: 4_000 }, (_, index) => lineOf(`A${index}`, index));
    const forth = write('forth_20251215.csv', [HEADER, ...lines]);
    const back = write('back_20251215.csv', [HEADER, ...lines.toReversed()]);
    const results = await Promise.all([ingest({ file_path: forth }), ingest({ file_path: back })]);
    const counts = results.map(({ inserted, duplicates }) => ({ inserted, duplicates }));
    expect(counts).toContainEqual({ inserted: 4_000, duplicates: 0 });
    expect(counts).toContainEqual({ inserted: 0, duplicates: 4_000 });
  });

  it('reports that it is done', async () => {
    const { runId } = await ingest({ file_path: WEEK });
    await waitFor(async () => {
      const events = await query(`SELECT 1 FROM run_events WHERE run_id = $1 AND event_type = 'progress'`, [
        runId,
      ]);
      return events.length > 0;
    });
  });
});

describe('the table', () => {
  const insert = (changes: Readonly<Record<string, string>>): Promise<unknown> => {
    const row = {
      record_hash: 'a'.repeat(64),
      week_ending: '2025-12-12',
      tier: 'OTC',
      symbol: 'AABB',
      issue_name: 'n',
      venue_name: 'v',
      mpid: 'OTCN',
      total_shares: '1',
      total_trades: '1',
      last_update_date: '2025-12-15',
      capture_id: 'c',
      source_file: 'f',
      source_sha256: 'b'.repeat(64),
      source_line: '2',
      run_id: '019b2f9e-0000-7000-8000-000000000000',
      ...changes,
    };
    const places = Object.keys(row).map((_, index) => `$${index + 1}`);
    return query(
      `INSERT INTO finra_otc_transparency_raw (${Object.keys(row).join()}) VALUES (${places.join()})`,
      Object.values(row),
    );
  };

  it.each([
    [{ week_ending: '2025-12-11' }, 'finra_otc_raw_friday'],
    [{ tier: 'NMS Tier 1' }, 'finra_otc_raw_tier'],
    [{ symbol: '' }, 'finra_otc_raw_not_empty'],
    [{ total_shares: '-1' }, 'finra_otc_raw_counts'],
    [{ total_shares: 'NaN' }, 'finra_otc_raw_counts'],
    [{ total_trades: '-1' }, 'finra_otc_raw_counts'],
    [{ record_hash: 'abc' }, 'finra_otc_raw_hashes'],
    [{ source_line: '0' }, 'finra_otc_raw_line'],
  ])('refuses %j', async (changes, constraint) => {
    await expect(insert(changes)).rejects.toMatchObject({ constraint });
  });

  it('can be appended to by the services, and not changed', async () => {
    await insert({});
    await expect(insert({})).rejects.toMatchObject({ constraint: 'finra_otc_transparency_raw_pkey' });
    const denied = { code: '42501' };
    await expect(
      engine.pool.query('UPDATE finra_otc_transparency_raw SET total_shares = 0'),
    ).rejects.toMatchObject(denied);
    await expect(engine.pool.query('DELETE FROM finra_otc_transparency_raw')).rejects.toMatchObject(denied);
  });
});
