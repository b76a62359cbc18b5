/** What a publication writes, told apart by partition, and what of it is there. */
import { sql } from 'kysely';
import { z } from 'zod';
import type { Pool } from '@spine/database';
import { assetKey } from '@spine/core';
import { taskSpec } from '@spine/execution';
import type { HandlerRegistry, Publication, WorkSpec } from '@spine/execution';

const DOMAIN = 'publish.test';

/** What {@link publishAll} writes one after the other. */
export const VERBS = 8;

/** The handlers' own table. Without a key: rows that are written twice show. */
export async function createOwnTable(admin: Pool): Promise<void> {
  await admin.query(
    'CREATE TABLE own_rows (partition text NOT NULL, epoch bigint NOT NULL); GRANT SELECT, INSERT ON own_rows TO spine_app',
  );
}

export interface PublishAll {
  /** The partition's name. */
  readonly partition: string;
  readonly epoch: number;
  /** Called before each verb and after the last, with how many came before. */
  readonly between?: (verbs: number) => Promise<void> | void;
  /** Of the downstream run. */
  readonly child?: Partial<WorkSpec>;
}

/** Publishes one of everything. */
export async function publishAll(
  p: Publication,
  { partition, epoch, between = () => undefined, child = {} }: PublishAll,
): Promise<{ partition: string; downstream: string }> {
  const partitionKey = { name: partition };
  await between(0);
  await sql`INSERT INTO own_rows VALUES (${partition}, ${epoch})`.execute(p.trx);
  await between(1);
  await p.rejects([
    {
      domain: DOMAIN,
      partitionKey,
      stage: 'INGESTED',
      reasonCode: 'INVALID_NUMBER',
      reasonDetail: 'not a number',
      raw: 'a|b',
      sourceLocator: 'file#1',
      lineNumber: 1,
      recordHash: 'hash',
    },
  ]);
  await between(2);
  await p.quality({ domain: DOMAIN, partitionKey, stage: 'INGESTED' }, [
    {
      checkName: 'rows_there',
      category: 'COMPLETENESS',
      status: 'PASS',
      message: 'one row',
      actualValue: '1',
      expectedValue: '1',
    },
  ]);
  await between(3);
  await p.anomaly({
    domain: DOMAIN,
    partitionKey,
    severity: 'WARN',
    category: 'DATA_QUALITY',
    message: 'a row was refused',
  });
  await between(4);
  await p.stage({
    domain: DOMAIN,
    partitionKey,
    stage: 'INGESTED',
    stageRank: 1,
    rowCount: 1,
    metrics: { epoch },
  });
  await between(5);
  await p.watermark({ domain: DOMAIN, source: 'files', partitionKey, kind: 'integer', highWater: '1' });
  await between(6);
  await p.materialize({
    assetKey: assetKey('publish', 'test', partition),
    domain: DOMAIN,
    partitionKey,
    rowCount: 1,
  });
  await between(7);
  const { runId } = await p.submit({ ...taskSpec('echo', { partition }), ...child });
  await between(VERBS);
  return { partition, downstream: runId };
}

/** How many rows of each kind a partition has. */
export interface Counts {
  readonly own: number;
  readonly rejects: number;
  readonly quality: number;
  readonly anomalies: number;
  readonly manifest: number;
  readonly watermarks: number;
  readonly materializations: number;
  readonly downstream: number;
  readonly terminal: number;
}

export const NOTHING: Counts = {
  own: 0,
  rejects: 0,
  quality: 0,
  anomalies: 0,
  manifest: 0,
  watermarks: 0,
  materializations: 0,
  downstream: 0,
  terminal: 0,
};
export const EVERYTHING: Counts = {
  own: 1,
  rejects: 1,
  quality: 1,
  anomalies: 1,
  manifest: 1,
  watermarks: 1,
  materializations: 1,
  downstream: 1,
  terminal: 1,
};

/** What is there of a partition, and how many terminal `completed` events its run has. */
export async function countsOf(db: Pick<Pool, 'query'>, partition: string, runId: string): Promise<Counts> {
  const of = (table: string): string =>
    `(SELECT count(*)::int FROM ${table} WHERE partition_key = $2 AND domain = '${DOMAIN}' AND run_id = $3)`;
  const { rows } = await db.query<Counts>(
    `SELECT (SELECT count(*)::int FROM own_rows WHERE partition = $1) AS own,
      ${of('rejects')} AS rejects, ${of('quality_results')} AS quality, ${of('anomalies')} AS anomalies,
      ${of('manifest')} AS manifest, ${of('watermarks')} AS watermarks,
      ${of('asset_materializations')} AS materializations,
      (SELECT count(*)::int FROM runs WHERE parent_run_id = $3 AND params ->> 'partition' = $1) AS downstream,
      (SELECT count(*)::int FROM run_events WHERE run_id = $3 AND terminal AND event_type = 'completed') AS terminal`,
    [partition, JSON.stringify({ name: partition }), runId],
  );
  const [counts] = rows;
  if (counts === undefined) throw new Error('a SELECT without FROM returned no row');
  return counts;
}

/** Where a publication can be cut off: before it, before each of its verbs, after the last, and at its steps. */
export const FAILPOINTS = [
  'before',
  'begun',
  ...Array.from({ length: VERBS + 1 }, (_, verbs): `verb ${number}` => `verb ${verbs}`),
  'worked',
  'settled',
  'committed',
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

export interface PublishingHandler {
  /** Of the downstream runs. */
  readonly lane: string;
  readonly onStart?: (runId: string, failpoint: Failpoint) => unknown;
  readonly reached?: (runId: string, failpoint: Failpoint) => Promise<void>;
  readonly onPublication?: (publication: Publication) => unknown;
  /** The handler has returned or thrown. */
  readonly onEnd?: (runId: string) => void;
}

/** Registers `publish.all`, which publishes one of everything and says where it is. */
export function registerPublishing(registry: HandlerRegistry, handler: PublishingHandler): HandlerRegistry {
  const { lane, onStart, onPublication, reached = () => Promise.resolve(), onEnd } = handler;
  return registry.registerTask(
    'publish.all',
    {
      description: 'Publishes one of everything.',
      params: z.strictObject({ partition: z.string(), failpoint: z.enum(FAILPOINTS) }),
    },
    async ({ partition, failpoint }, ctx) => {
      const { runId, epoch } = ctx.run;
      onStart?.(runId, failpoint);
      try {
        await reached(runId, 'before');
        return await ctx.publish((p) => {
          onPublication?.(p);
          return publishAll(p, {
            partition,
            epoch,
            child: { lane },
            between: (verbs) => reached(runId, `verb ${verbs}`),
          });
        });
      } finally {
        onEnd?.(runId);
      }
    },
  );
}
