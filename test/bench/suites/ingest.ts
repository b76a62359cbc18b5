/**
 * A large weekly file through ingest_week, beside a bare COPY of the same file into a table with the same columns,
 * constraints and indexes. What COPY stores in the columns the file does not have is made by defaults: a hash a row as
 * well, so that both fill the same index.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { from as copyFrom } from 'pg-copy-streams';
import { z } from 'zod';
import type { Pool } from '@spine/database';
import { INGEST_FILE_NAME, INGEST_WEEK_ENDING, writeIngestFile } from '../ingest-file.ts';
import type { IngestFile } from '../ingest-file.ts';
import { loadNow, openLab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Section } from '../model.ts';
import { number } from '../report.ts';
import { median, range } from '../statistics.ts';
import type { Suite, SuiteContext } from './suite.ts';

const RAW = 'finra_otc_transparency_raw';
const EQUAL = 'bench_equal';
const PLAIN = 'bench_plain';
const FILE_COLUMNS =
  'tier, symbol, issue_name, venue_name, mpid, total_shares, total_trades, last_update_date';

/** The table of the rows, and beside it one of the file's columns alone, without constraint or index. */
const TABLES = `
  CREATE SEQUENCE bench_rows CACHE 1000;
  CREATE TABLE ${EQUAL} (LIKE ${RAW} INCLUDING ALL);
  ALTER TABLE ${EQUAL}
    ALTER record_hash SET DEFAULT encode(sha256(int8send(nextval('bench_rows'))), 'hex'),
    ALTER week_ending SET DEFAULT '${INGEST_WEEK_ENDING}',
    ALTER capture_id SET DEFAULT 'finra.otc_transparency:OTC:${INGEST_WEEK_ENDING}:20251216',
    ALTER source_file SET DEFAULT '${INGEST_FILE_NAME}',
    ALTER source_sha256 SET DEFAULT repeat('a', 64),
    ALTER source_line SET DEFAULT 2,
    ALTER run_id SET DEFAULT '019b2f9e-0000-7000-8000-000000000000';
  CREATE TABLE ${PLAIN} AS SELECT ${FILE_COLUMNS} FROM ${RAW} WITH NO DATA`;

const REPORTED = z.object({
  milliseconds: z.number(),
  grown_bytes: z.number(),
  status: z.string(),
  result: z.looseObject({ file_rows: z.number(), inserted: z.number() }),
});

interface Round {
  /** Rows a second. */
  readonly plain: number;
  readonly copy: number;
  readonly ingest: number;
  /** MB. */
  readonly grown: number;
}

async function copy(admin: Pool, file: IngestFile, table: string): Promise<number> {
  await admin.query(`TRUNCATE ${table}`);
  await admin.query('CHECKPOINT');
  const client = await admin.connect();
  try {
    const from = performance.now();
    await client.query('BEGIN');
    const into = client.query(
      copyFrom(
        `COPY ${table} (${FILE_COLUMNS}) FROM STDIN (FORMAT csv, DELIMITER '|', HEADER true, QUOTE E'\\b')`,
      ),
    );
    await pipeline(createReadStream(file.path, { highWaterMark: 256 * 1024 }), into);
    await client.query('COMMIT');
    const milliseconds = performance.now() - from;
    await assertStored(admin, file, table);
    return (file.rows * 1000) / milliseconds;
  } finally {
    client.release();
  }
}

async function ingest(
  admin: Pool,
  file: IngestFile,
  databaseUrl: string,
): Promise<Pick<Round, 'ingest' | 'grown'>> {
  await admin.query(`TRUNCATE ${RAW}, rejects, manifest`);
  await admin.query('CHECKPOINT');
  const program = fileURLToPath(new URL('../processes/ingest-once.ts', import.meta.url));
  const child = fork(program, [databaseUrl, file.path], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const reported = await Promise.race([once(child, 'message'), exited.then(() => [null])]);
  await exited;
  const parsed = REPORTED.safeParse(reported[0]);
  if (!parsed.success || parsed.data.status !== 'completed' || parsed.data.result.inserted !== file.rows) {
    throw new VoidMeasurementError(`the ingest ended with ${JSON.stringify(reported[0])}`);
  }
  await assertStored(admin, file, RAW);
  const { milliseconds, grown_bytes } = parsed.data;
  return { ingest: (file.rows * 1000) / milliseconds, grown: grown_bytes / 1e6 };
}

/** Counted by the database, against what was written into the file. */
async function assertStored(admin: Pool, file: IngestFile, table: string): Promise<void> {
  const { rows } = await admin.query<{ rows: number; shares: string; trades: string }>(
    `SELECT count(*) AS rows, sum(total_shares)::text AS shares, sum(total_trades)::text AS trades FROM ${table}`,
  );
  const [found] = rows;
  const { shares, trades } = file;
  if (found?.rows === file.rows && found.shares === String(shares) && found.trades === String(trades)) return;
  throw new VoidMeasurementError(
    `${table} should hold ${file.rows} rows of ${shares} shares and ${trades} trades; it holds ${JSON.stringify(found)}`,
  );
}

function row(title: string, values: readonly number[]): readonly string[] {
  const [least, most] = range(values);
  return [title, `${number(median(values))} rows/s`, `${number(least)} - ${number(most)}`];
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const loadBefore = loadNow();
  const lab = await openLab();
  try {
    await lab.admin.query(TABLES);
    const file = await writeIngestFile(join(lab.directory, INGEST_FILE_NAME), options.rows);
    const rounds: Round[] = [];
    for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
      const plain = await copy(lab.admin, file, PLAIN);
      // In turns: what is measured second finds the machine as the first has left it.
      const copyFirst = repetition % 2 === 0;
      const before = copyFirst ? await copy(lab.admin, file, EQUAL) : null;
      const ingested = await ingest(lab.admin, file, lab.databaseUrl);
      const copied = before ?? (await copy(lab.admin, file, EQUAL));
      rounds.push({ plain, copy: copied, ...ingested });
      say(
        `  ${repetition + 1}: COPY ${number(copied)}/s (plain ${number(plain)}/s), ` +
          `ingest ${number(ingested.ingest)}/s, ${number(ingested.grown)} MB`,
      );
    }
    const ratios = rounds.map((round) => round.ingest / round.copy);
    return {
      suite: 'ingest',
      title: `${number(options.rows)} rows through ingest_week, beside a bare COPY`,
      tables: [
        {
          columns: ['', 'median', 'range'],
          rows: [
            row(
              'COPY into an equal table',
              rounds.map((round) => round.copy),
            ),
            row(
              'ingest_week',
              rounds.map((round) => round.ingest),
            ),
            row(
              'COPY of the columns alone, no constraint, no index',
              rounds.map((round) => round.plain),
            ),
          ],
        },
      ],
      figures: [
        {
          name: 'ingest against a bare COPY into an equal table',
          value: median(ratios),
          unit: 'x',
          target: { at: 'least', value: 0.4 },
        },
        {
          name: 'most that memory grew (RSS)',
          value: Math.max(...rounds.map((round) => round.grown)),
          unit: ' MB',
          target: { at: 'most', value: 200 },
        },
        {
          name: 'ingest against COPY without constraints and indexes',
          value: median(rounds.map((round) => round.ingest / round.plain)),
          unit: 'x',
        },
      ],
      notes: [
        `A file of ${number(file.size / 1e6)} MB, ${options.repetitions} repetitions, in turns; load of the machine ` +
          `before: ${loadBefore.toFixed(1)}. Each ingest is a run in a new process, from its submit to its settlement, ` +
          'with its fences and its manifest. Rows, shares and trades were counted after each.',
      ],
    };
  } finally {
    await lab.close();
  }
}

export const ingestSuite: Suite = {
  name: 'ingest',
  about: 'a large FINRA file through ingest_week beside a bare COPY: rows a second, memory (--rows N)',
  run,
};
