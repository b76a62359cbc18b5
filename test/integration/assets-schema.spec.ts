/** What the schema of assets and facts refuses, whatever a statement does wrong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAssetKey, newId } from '@spine/core';
import type { Pool } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let admin: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  ({ admin } = base);
  await admin.query(`INSERT INTO assets (asset_key, domain) VALUES ('a', 'd')`);
  await admin.query(`INSERT INTO bitemporal_keys (domain, fact_key, system_at) VALUES ('d', 'k', 'epoch')`);
  await admin.query(
    `INSERT INTO asset_materializations (materialization_id, asset_key, domain, partition_key, run_id, data_version)
     OVERRIDING SYSTEM VALUE VALUES (1000, 'a', 'd', '{}', gen_random_uuid(), 'v')`,
  );
});
afterAll(() => base.close());

type Row = Readonly<Record<string, unknown>>;

/** A lawful row of each table; a case changes it into one that breaks exactly its constraint. */
const LAWFUL: Readonly<Record<string, () => Row>> = {
  assets: () => ({ asset_key: newId(), domain: 'd' }),
  asset_materializations: () => ({
    asset_key: 'a',
    domain: 'd',
    partition_key: '{}',
    run_id: newId(),
    data_version: 'v',
  }),
  asset_lineage: () => ({
    materialization_id: 1_000,
    upstream_asset_key: newId(),
    upstream_partition_key: '{}',
    upstream_data_version: 'v',
  }),
  asset_dependencies: () => ({ asset_key: 'a', upstream_asset_key: newId() }),
  asset_observations: () => ({ asset_key: 'a', domain: 'd', partition_key: '{}', observed_by: 'o' }),
  bitemporal_keys: () => ({ domain: 'd', fact_key: newId(), system_at: 'epoch' }),
  bitemporal_facts: () => ({
    domain: 'd',
    fact_key: 'k',
    version: 1,
    valid_from: '2025-01-01',
    valid_to: '2025-01-02',
    system_from: '2025-01-01',
    system_to: '2025-01-02',
    value: '1',
    value_hash: '0'.repeat(64),
    ingest_time: 'epoch',
    run_id: newId(),
  }),
};

async function insert(db: Pick<Pool, 'query'>, table: string, more: Row = {}): Promise<void> {
  const row = { ...LAWFUL[table]?.(), ...more };
  const columns = Object.keys(row);
  await db.query(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(row),
  );
}

/** Per constraint, every way to break it alone. */
const VIOLATIONS: readonly (readonly [table: string, constraint: string, ...rows: Row[]])[] = [
  [
    'assets',
    'assets_key',
    ...['', '/a', 'a/', 'a//b', '../a', 'a b', 'a\n', 'x'.repeat(101), 'a/'.repeat(12) + 'a'].map(
      (asset_key) => ({
        asset_key,
      }),
    ),
    { asset_key: `${'x'.repeat(100)}/${'y'.repeat(100)}` },
  ],
  ['assets', 'assets_max_lag', { max_lag_seconds: 0 }],
  ['asset_materializations', 'asset_materializations_rows', { row_count: -1 }],
  ['asset_lineage', 'asset_lineage_order', { upstream_id: 1_000 }],
  ['asset_observations', 'asset_observations_rows', { row_count: -1 }],
  [
    'bitemporal_keys',
    'bitemporal_keys_length',
    { domain: '' },
    { fact_key: '' },
    { domain: 'x'.repeat(201) },
    { fact_key: 'x'.repeat(501) },
  ],
  ['bitemporal_keys', 'bitemporal_keys_version', { version: -1 }],
  [
    'bitemporal_facts',
    'bitemporal_facts_valid',
    { valid_to: '2025-01-01' },
    { valid_from: '-infinity' },
    { valid_to: 'infinity' },
  ],
  [
    'bitemporal_facts',
    'bitemporal_facts_system',
    { system_to: '2025-01-01' },
    { system_from: '-infinity' },
    { system_to: 'infinity' },
  ],
  ['bitemporal_facts', 'bitemporal_facts_version', { version: 0 }],
  ['bitemporal_facts', 'bitemporal_facts_hashes', { value_hash: 'A' }, { source_hash: 'a'.repeat(63) }],
];

describe('a row', () => {
  it.each(VIOLATIONS.map(([table, constraint, ...rows]) => ({ table, constraint, rows })))(
    'of $table that breaks $constraint is refused for that alone',
    async ({ table, constraint, rows }) => {
      for (const row of rows) {
        await expect(insert(admin, table, row)).rejects.toMatchObject({ code: '23514', constraint });
        // Without that constraint it would pass: nothing else is wrong with it.
        const client = await admin.connect();
        await client.query('BEGIN');
        await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`);
        await insert(client, table, row);
        await client.query('ROLLBACK');
        client.release();
      }
    },
  );

  it('that is lawful passes', async () => {
    for (const table of Object.keys(LAWFUL)) await insert(admin, table);
  });

  it('has a case above for every constraint there is', async () => {
    const { rows } = await admin.query<{ name: string }>(
      `SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND conrelid = ANY ($1::regclass[]) ORDER BY 1`,
      [`{${Object.keys(LAWFUL).join(',')}}`],
    );
    expect(rows.map(({ name }) => name)).toEqual(VIOLATIONS.map(([, name]) => name).sort());
  });
});

it('the schema and the code agree on what is the key of an asset', async () => {
  const candidates = [
    'a',
    'a/b',
    'a/',
    'A.b_c:d=e-f/0',
    '-a',
    'é',
    `${'x'.repeat(100)}/${'y'.repeat(99)}`,
    'a/'.repeat(11) + 'a',
  ];
  for (const candidate of candidates) {
    const client = await admin.connect();
    await client.query('BEGIN; TRUNCATE assets CASCADE');
    const stored = await insert(client, 'assets', { asset_key: candidate }).then(
      () => true,
      () => false,
    );
    await client.query('ROLLBACK');
    client.release();
    expect([candidate, stored]).toEqual([candidate, isAssetKey(candidate)]);
  }
});
