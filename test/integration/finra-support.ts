/** A worker that knows the FINRA operations, over a database of its own, and files to feed it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import {
  createEngine,
  HandlerRegistry,
  MemoryHintQueue,
  operationSpec,
  registerLedgerOperations,
  Worker,
} from '@spine/execution';
import type { Engine } from '@spine/execution';
import { INGEST_WEEK, ingestReplayer, normalizeReplayer, registerFinraOtc } from '@spine/finra-otc';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase } from '@spine/testing';
import { expect } from 'vitest';
import { HEADER } from './finra-ingest-support.ts';
import type { Params } from './finra-ingest-support.ts';

export type { Params };

export interface FailedRun {
  readonly type: string;
  readonly message: string;
}

/** One row of a weekly file. */
export interface FileRow {
  readonly symbol: string;
  readonly mpid: string;
  readonly shares: number;
  readonly trades: number;
  readonly tier?: string;
  readonly updated?: string;
  readonly name?: string;
}

export interface FinraBed {
  readonly engine: Engine;
  /** Connects as the owner of the tables: looks at what the services cannot, and tries what they may not. */
  readonly owner: Pool;
  readonly databaseUrl: string;
  /** Runs an operation, which must succeed; answers its result. */
  run(operation: string, params: Params): Promise<Params>;
  /** Runs an operation, which must fail for good at the first attempt; answers its error. */
  fails(operation: string, params: Params): Promise<FailedRun>;
  /** Ingests rows as a file of a week. */
  ingest(weekEnding: string, rows: readonly FileRow[]): Promise<Params>;
  query<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** Empties every table of the domain and of the ledger. */
  clear(): Promise<void>;
  /** Moves what is stored `days` into the past, as if it had been captured then. */
  age(days: number): Promise<void>;
  close(): Promise<void>;
}

function lineOf({ symbol, mpid, shares, trades, ...row }: FileRow, weekEnding: string): string {
  const { tier = 'OTC', updated = weekEnding, name = `Name of ${symbol}` } = row;
  return [tier, symbol, name, `VENUE ${mpid}`, mpid, shares, trades, updated].join('|');
}

export async function openFinra(): Promise<FinraBed> {
  const database = await createTestDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'spine-finra-'));
  const owner = createPool({ connectionString: database.connectionString, role: null });
  const engine = await createEngine({
    databaseUrl: database.connectionString,
    redisUrl: null,
    registry: registerLedgerOperations(registerFinraOtc(new HandlerRegistry(), { dataRoots: [folder] }), {
      replayers: [ingestReplayer, normalizeReplayer],
    }),
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'test',
    queue: new MemoryHintQueue(),
  });
  const worker = new Worker({ ...engine, lanes: ['default', 'backfill'], heartbeatMs: 100, pollMs: 50 });
  await worker.start();
  let files = 0;

  async function finished(operation: string, params: Params) {
    const done = await engine.dispatcher.submitAndWait(operationSpec(operation, params));
    if (done.type !== 'run') throw new Error(`not accepted: ${JSON.stringify(done)}`);
    return done.run;
  }

  const bed: FinraBed = {
    engine,
    owner,
    databaseUrl: database.connectionString,
    run: async (operation, params) => {
      const run = await finished(operation, params);
      if (run.status !== 'completed')
        throw new Error(`${operation} ${run.status}: ${JSON.stringify(run.error)}`);
      return run.result as Params;
    },
    fails: async (operation, params) => {
      const run = await finished(operation, params);
      expect(run).toMatchObject({ status: 'dead_lettered', attempt: 1 });
      return run.error as FailedRun;
    },
    ingest: (weekEnding, rows) => {
      files += 1;
      const file_path = `file_${files}.csv`;
      const lines = [HEADER, ...rows.map((row) => lineOf(row, weekEnding))];
      writeFileSync(join(folder, file_path), `${lines.join('\n')}\n`);
      return bed.run(INGEST_WEEK, { file_path, week_ending: weekEnding, force: true });
    },
    query: async <R extends object>(text: string, values: readonly unknown[] = []) =>
      (await owner.query<R>(text, [...values])).rows,
    clear: async () => {
      const [named] = await bed.query<{ names: string }>(
        `SELECT string_agg(quote_ident(tablename), ', ') AS names FROM pg_tables
         WHERE schemaname = 'public' AND (tablename LIKE 'finra\\_otc\\_%'
           OR tablename LIKE 'asset%' OR tablename IN ('rejects', 'manifest', 'quality_results', 'anomalies'))`,
      );
      await owner.query(`TRUNCATE ${named?.names ?? ''} CASCADE`);
    },
    age: async (days) => {
      await owner.query(
        `UPDATE finra_otc_transparency_raw SET captured_at = captured_at - make_interval(days => $1)`,
        [days],
      );
    },
    close: async () => {
      await worker.stop();
      await engine.close();
      await owner.end();
      await database.drop();
      rmSync(folder, { recursive: true });
    },
  };
  return bed;
}
