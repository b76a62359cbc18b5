/** A worker that ingests weekly files, over a database and a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { createEngine, HandlerRegistry, MemoryHintQueue, operationSpec, Worker } from '@spine/execution';
import type { Engine, WorkSpec } from '@spine/execution';
import { INGEST_WEEK, registerFinraOtc } from '@spine/finra-otc';
import type { IngestWeekResult } from '@spine/finra-otc';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase } from '@spine/testing';
import { expect } from 'vitest';

export const FIXTURES = resolve(import.meta.dirname, '../../libs/domains/finra-otc/fixtures');
export const HEADER =
  'tierDescription|issueSymbolIdentifier|issueName|marketParticipantName|MPID|totalWeeklyShareQuantity|totalWeeklyTradeCount|lastUpdateDate';

export type Params = Readonly<Record<string, unknown>>;
export type Stored = Record<'rows' | 'rejects' | 'manifest', number>;

export const NOTHING: Stored = { rows: 0, rejects: 0, manifest: 0 };

export class IngestBed {
  readonly engine: Engine;
  /** Connects as the owner of the tables: looks at what the services cannot, and tries what they may not. */
  readonly owner: Pool;
  /** A data root of its own. */
  readonly folder: string;
  readonly #stop: () => Promise<void>;

  private constructor(engine: Engine, owner: Pool, folder: string, stop: () => Promise<void>) {
    this.engine = engine;
    this.owner = owner;
    this.folder = folder;
    this.#stop = stop;
  }

  static async open(): Promise<IngestBed> {
    const database = await createTestDatabase();
    const folder = mkdtempSync(join(tmpdir(), 'spine-finra-'));
    const owner = createPool({ connectionString: database.connectionString, role: null });
    const engine = await createEngine({
      databaseUrl: database.connectionString,
      redisUrl: null,
      registry: registerFinraOtc(new HandlerRegistry(), { dataRoots: [FIXTURES, folder] }),
      logger: silentLogger(),
      metrics: new Metrics('test'),
      service: 'test',
      queue: new MemoryHintQueue(),
    });
    const worker = new Worker({ ...engine, lanes: ['default'], heartbeatMs: 100 });
    await worker.start();
    return new IngestBed(engine, owner, folder, async () => {
      await worker.stop();
      await engine.close();
      await owner.end();
      await database.drop();
      rmSync(folder, { recursive: true });
    });
  }

  close(): Promise<void> {
    return this.#stop();
  }

  async clear(): Promise<void> {
    await this.owner.query(
      'TRUNCATE finra_otc_transparency_raw, rejects, manifest, watermarks, asset_materializations CASCADE',
    );
  }

  async execute(params: Params, options: Partial<WorkSpec> = {}) {
    const done = await this.engine.dispatcher.submitAndWait(operationSpec(INGEST_WEEK, params, options));
    if (done.type !== 'run') throw new Error(`not accepted: ${JSON.stringify(done)}`);
    return done.run;
  }

  /** Ingests a file, which must succeed at the first attempt. */
  async ingest(
    params: Params,
    options: Partial<WorkSpec> = {},
  ): Promise<IngestWeekResult & { readonly runId: string }> {
    const run = await this.execute(params, options);
    expect(run).toMatchObject({ status: 'completed', attempt: 1 });
    const result = run.result as IngestWeekResult;
    expect(result.inserted + result.duplicates + result.rejected).toBe(result.file_rows);
    return { ...result, runId: run.runId };
  }

  /** Ingests a file, which must fail for good at the first attempt, and leave nothing. */
  async refused(
    params: Params,
    options: Partial<WorkSpec> = {},
  ): Promise<{ readonly type: string; readonly message: string }> {
    const run = await this.execute(params, options);
    expect(run).toMatchObject({ status: 'dead_lettered', attempt: 1 });
    expect(await this.stored()).toEqual(NOTHING);
    return run.error as { type: string; message: string };
  }

  async query<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return (await this.owner.query<R>(text, [...values])).rows;
  }

  async stored(): Promise<Stored> {
    const [counts] = await this.query<Stored>(
      `SELECT (SELECT count(*) FROM finra_otc_transparency_raw)::int AS rows,
        (SELECT count(*) FROM rejects)::int AS rejects, (SELECT count(*) FROM manifest)::int AS manifest`,
    );
    if (counts === undefined) throw new Error('no counts');
    return counts;
  }

  /** Writes a file into the folder and answers its name. */
  write(name: string, lines: readonly string[], end = '\n'): string {
    writeFileSync(join(this.folder, name), lines.map((line) => line + end).join(''));
    return name;
  }
}

export function lineOf(symbol: string, shares = 1, tier = 'OTC'): string {
  return `${tier}|${symbol}|Name of ${symbol}|OTCN OTC LINK NQB IDQS|OTCN|${shares}|1|2025-12-15`;
}
