/**
 * How far each partition of a source was read.
 *
 * 1. A mark goes forward only, and the statement that writes it decides: two writers at once leave the higher one,
 *    whatever their order. A trigger refuses what a statement would miss.
 * 2. A mark that is not ahead writes nothing, so it locks nothing that anybody waits for long.
 */
import { sql } from 'kysely';
import { InvariantError, parseHighWater, ValidationError, watermarkVerdict } from '@spine/core';
import type { WatermarkKind } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { partitionKeyOf, partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage } from './pages.ts';

export interface Watermark {
  readonly domain: string;
  readonly source: string;
  readonly partitionKey: PartitionKey;
  readonly kind: WatermarkKind;
  /** In the one spelling of its kind. */
  readonly highWater: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly runId: string | null;
  readonly batchId: string | null;
  readonly createdAt: Date;
  /** When it was last advanced. */
  readonly updatedAt: Date;
}

export interface NewWatermark {
  readonly domain: string;
  readonly source: string;
  /** Default `{}`: the source as a whole. */
  readonly partitionKey?: PartitionKey;
  /** What it is compared as; the same for the life of the watermark. */
  readonly kind: WatermarkKind;
  /** Any spelling its kind allows. */
  readonly highWater: string;
  /** Default `{}`. Replaces what the last advance said. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly runId?: string | null;
  readonly batchId?: string | null;
}

/** What became of a proposed mark; `current` is the one that stands now. */
export type AdvanceOutcome =
  | { readonly outcome: 'advanced'; readonly current: Watermark }
  /** The same position again: nothing was written. */
  | { readonly outcome: 'unchanged'; readonly current: Watermark }
  /** Before the one that stands: nothing was written. */
  | { readonly outcome: 'behind'; readonly current: Watermark };

interface WatermarkRow {
  domain: string;
  source: string;
  partition_key: string;
  kind: WatermarkKind;
  high_water: string;
  metadata: unknown;
  run_id: string | null;
  batch_id: string | null;
  created_at: Date;
  updated_at: Date;
}

function toWatermark(row: WatermarkRow): Watermark {
  return {
    domain: row.domain,
    source: row.source,
    partitionKey: partitionKeyOf(row.partition_key),
    kind: row.kind,
    highWater: row.high_water,
    metadata: row.metadata as Readonly<Record<string, unknown>>,
    runId: row.run_id,
    batchId: row.batch_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/**
 * Moves a watermark forward, or makes it.
 *
 * @throws ValidationError for a position that is not of its kind, and for a kind other than the watermark's.
 */
export async function advanceWatermark(db: Db | DbTransaction, mark: NewWatermark): Promise<AdvanceOutcome> {
  const highWater = parseHighWater(mark.kind, mark.highWater);
  const key = partitionKeyText(mark.partitionKey ?? {});
  const written = await db
    .insertInto('watermarks')
    .values({
      domain: mark.domain,
      source: mark.source,
      partition_key: key,
      kind: mark.kind,
      high_water: highWater,
      metadata: JSON.stringify(mark.metadata ?? {}),
      run_id: mark.runId ?? null,
      batch_id: mark.batchId ?? null,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['domain', 'source', 'partition_key'])
        .doUpdateSet((eb) => ({
          high_water: eb.ref('excluded.high_water'),
          metadata: eb.ref('excluded.metadata'),
          run_id: eb.ref('excluded.run_id'),
          batch_id: eb.ref('excluded.batch_id'),
          updated_at: sql<Date>`now()`,
        }))
        .where(
          sql<boolean>`watermarks.kind = excluded.kind
            AND spine_high_water_after(excluded.kind, excluded.high_water, watermarks.high_water)`,
        ),
    )
    .returningAll()
    .executeTakeFirst();
  if (written !== undefined) return { outcome: 'advanced', current: toWatermark(written) };
  const current = await getWatermark(db, mark.domain, mark.source, mark.partitionKey);
  // Watermarks are never deleted, and the conflict was with a committed row.
  if (current === null) throw new InvariantError(`watermark of ${mark.domain} ${mark.source} ${key} is gone`);
  const verdict = watermarkVerdict(current, { kind: mark.kind, highWater });
  // Whoever wrote the row in between may have done so after the statement above was refused; both stand behind it.
  return { outcome: verdict === 'unchanged' ? 'unchanged' : 'behind', current };
}

/** One watermark, or null. @param partitionKey default `{}`. */
export async function getWatermark(
  db: Db | DbTransaction,
  domain: string,
  source: string,
  partitionKey: PartitionKey = {},
): Promise<Watermark | null> {
  const row = await db
    .selectFrom('watermarks')
    .selectAll()
    .where('domain', '=', domain)
    .where('source', '=', source)
    .where('partition_key', '=', partitionKeyText(partitionKey))
    .executeTakeFirst();
  return row === undefined ? null : toWatermark(row);
}

/** Where a page of watermarks goes on. */
export interface WatermarkPosition {
  readonly domain: string;
  readonly source: string;
  /** Canonical JSON. */
  readonly partitionKey: string;
}

export interface WatermarkFilter {
  readonly domain?: string;
  /** Needs `domain`. */
  readonly source?: string;
}

export interface WatermarkPageRequest {
  readonly limit: number;
  /** Default 0. */
  readonly offset?: number;
  /** The last one seen. */
  readonly after?: WatermarkPosition;
}

function filterWatermarks(db: Db | DbTransaction, { domain, source }: WatermarkFilter) {
  let query = db.selectFrom('watermarks');
  if (domain !== undefined) query = query.where('domain', '=', domain);
  if (source !== undefined) query = query.where('source', '=', source);
  return query;
}

/** Watermarks that match, by domain, source and partition. @throws ValidationError for a source without a domain. */
export async function listWatermarks(
  db: Db | DbTransaction,
  filter: WatermarkFilter,
  page: WatermarkPageRequest,
): Promise<LedgerPage<Watermark>> {
  if (filter.source !== undefined && filter.domain === undefined) {
    const message = 'needs domain beside it';
    throw new ValidationError(`source: ${message}`, {
      issues: [{ field: 'source', code: 'conflict', message }],
    });
  }
  let query = filterWatermarks(db, filter)
    .selectAll()
    .orderBy('domain')
    .orderBy('source')
    .orderBy('partition_key')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.after !== undefined) {
    const { domain, source, partitionKey } = page.after;
    query = query.where(
      sql<boolean>`(domain, source, partition_key) > (${domain}, ${source}, ${partitionKey})`,
    );
  }
  const matching = filterWatermarks(db, filter).select('domain').limit(COUNTED_ROWS);
  return ledgerPage(db, query.execute(), matching, page.limit, toWatermark);
}
