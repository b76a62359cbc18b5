/** Reading assets with their freshness, their materializations and observations. Lists are newest first, assets by key. */
import { sql } from 'kysely';
import type { RawBuilder, Selectable } from 'kysely';
import { freshnessOf } from '@spine/core';
import type { AssetKey, Freshness, FreshnessStatus } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import {
  MATERIALIZATION_COLUMNS,
  OBSERVATION_COLUMNS,
  toMaterialization,
  toObservation,
} from './assets-record.ts';
import type { Asset, Materialization, Observation } from './assets-record.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage, LedgerPageRequest } from './pages.ts';

/** An asset as it stands: what is promised, what there is, and whether that keeps the promise now. */
export interface AssetState extends Asset {
  /** Of any partition; null when it was never materialized. */
  readonly latest: Materialization | null;
  /** By the database's clock. */
  readonly freshness: Freshness;
}

export interface AssetFilter {
  /** This asset and those below it. */
  readonly prefix?: AssetKey;
  readonly domain?: string;
  readonly freshness?: readonly FreshnessStatus[];
}

export interface AssetPageRequest {
  readonly limit: number;
  /** Default 0. */
  readonly offset?: number;
  /** The last key seen: only later ones follow. */
  readonly after?: string;
}

/** The newest materialization of each asset `a`. */
const WITH_LATEST = sql`assets a LEFT JOIN LATERAL (
  SELECT * FROM asset_materializations m WHERE m.asset_key = a.asset_key ORDER BY m.materialization_id DESC LIMIT 1
) m ON true`;

/** `freshnessOf` in SQL, so that a filter can be paged; a test holds the two together. */
const FRESHNESS_SQL = sql<FreshnessStatus>`CASE WHEN m.materialized_at IS NULL THEN 'missing'
  WHEN now() - m.materialized_at > a.max_lag_seconds * interval '1 second' THEN 'stale' ELSE 'fresh' END`;

interface StateRow extends Selectable<Database['assets']> {
  now: Date;
  latest_id: number | null;
}

const STATE_COLUMNS = sql`a.*, now() AS now, m.materialization_id AS latest_id`;

/** One asset as it stands, or null. */
export async function getAsset(db: Db | DbTransaction, key: AssetKey): Promise<AssetState | null> {
  const { rows } = await sql<StateRow>`
    SELECT ${STATE_COLUMNS} FROM ${WITH_LATEST} WHERE a.asset_key = ${key}`.execute(db);
  return (await withLatest(db, rows))[0] ?? null;
}

/** Assets that match, by key. */
export async function listAssets(
  db: Db | DbTransaction,
  filter: AssetFilter,
  page: AssetPageRequest,
): Promise<LedgerPage<AssetState>> {
  const where = sql.join([sql`true`, ...conditions(filter)], sql` AND `);
  const after = page.after === undefined ? sql`true` : sql`a.asset_key > ${page.after}`;
  const found = sql<StateRow>`
    SELECT ${STATE_COLUMNS} FROM ${WITH_LATEST} WHERE ${where} AND ${after}
    ORDER BY a.asset_key LIMIT ${page.limit + 1} OFFSET ${page.offset ?? 0}`.execute(db);
  const matching = sql`(SELECT 1 FROM ${WITH_LATEST} WHERE ${where} LIMIT ${COUNTED_ROWS})`;
  return ledgerPage(
    db,
    found.then(({ rows }) => withLatest(db, rows)),
    matching,
    page.limit,
    (state) => state,
  );
}

function conditions({ prefix, domain, freshness }: AssetFilter): RawBuilder<unknown>[] {
  return [
    // Below 'a/b' is what lies between 'a/b/' and 'a/b0': '0' is the character after '/'.
    ...(prefix === undefined
      ? []
      : [
          sql`(a.asset_key = ${prefix} OR (a.asset_key > ${`${prefix}/`} AND a.asset_key < ${`${prefix}0`}))`,
        ]),
    ...(domain === undefined ? [] : [sql`a.domain = ${domain}`]),
    ...(freshness === undefined ? [] : [sql`${FRESHNESS_SQL} = ANY (${[...freshness]})`]),
  ];
}

/** A materialization never changes: what the id names now is what it named then. */
async function withLatest(db: Db | DbTransaction, rows: readonly StateRow[]): Promise<AssetState[]> {
  const ids = rows.flatMap(({ latest_id: id }) => (id === null ? [] : [id]));
  if (ids.length === 0) return rows.map((row) => toState(row, null));
  const found = await db
    .selectFrom('asset_materializations')
    .select([...MATERIALIZATION_COLUMNS])
    .where('materialization_id', 'in', ids)
    .execute();
  const latest = new Map(found.map((row) => [row.materialization_id, toMaterialization(row)]));
  return rows.map((row) => toState(row, latest.get(row.latest_id ?? 0) ?? null));
}

function toState(row: StateRow, latest: Materialization | null): AssetState {
  return {
    assetKey: row.asset_key as AssetKey,
    domain: row.domain,
    description: row.description,
    maxLagSeconds: row.max_lag_seconds,
    metadata: row.metadata as Readonly<Record<string, unknown>>,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    latest,
    freshness: freshnessOf(
      { maxLagSeconds: row.max_lag_seconds },
      latest === null ? null : latest.materializedAt,
      row.now,
    ),
  };
}

/** The materializations of an asset, newest first. @param partitionKey of this partition only. */
export async function listMaterializations(
  db: Db | DbTransaction,
  key: AssetKey,
  partitionKey: PartitionKey | null,
  page: LedgerPageRequest,
): Promise<LedgerPage<Materialization>> {
  let matching = db.selectFrom('asset_materializations').where('asset_key', '=', key);
  if (partitionKey !== null) {
    matching = matching.where('partition_key', '=', partitionKeyText(partitionKey));
  }
  let rows = matching
    .select([...MATERIALIZATION_COLUMNS])
    .orderBy('materialization_id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.before !== undefined) rows = rows.where('materialization_id', '<', Number(page.before));
  const counted = matching.select('materialization_id').limit(COUNTED_ROWS);
  return ledgerPage(db, rows.execute(), counted, page.limit, toMaterialization);
}

/** One materialization, or null. */
export async function getMaterialization(
  db: Db | DbTransaction,
  materializationId: number,
): Promise<Materialization | null> {
  const row = await db
    .selectFrom('asset_materializations')
    .select([...MATERIALIZATION_COLUMNS])
    .where('materialization_id', '=', materializationId)
    .executeTakeFirst();
  return row === undefined ? null : toMaterialization(row);
}

/** The newest materialization of a partition, or null. */
export async function latestMaterialization(
  db: Db | DbTransaction,
  key: AssetKey,
  partitionKey: PartitionKey,
): Promise<Materialization | null> {
  const row = await db
    .selectFrom('asset_materializations')
    .select([...MATERIALIZATION_COLUMNS])
    .where('asset_key', '=', key)
    .where('partition_key', '=', partitionKeyText(partitionKey))
    .orderBy('materialization_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : toMaterialization(row);
}

/** The observations of an asset, newest first. */
export async function listObservations(
  db: Db | DbTransaction,
  key: AssetKey,
  page: LedgerPageRequest,
): Promise<LedgerPage<Observation>> {
  const matching = db.selectFrom('asset_observations').where('asset_key', '=', key);
  let rows = matching
    .select([...OBSERVATION_COLUMNS])
    .orderBy('observation_id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.before !== undefined) rows = rows.where('observation_id', '<', Number(page.before));
  const counted = matching.select('observation_id').limit(COUNTED_ROWS);
  return ledgerPage(db, rows.execute(), counted, page.limit, toObservation);
}
