/** The payload stores under test, with the means to look behind them. */
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool } from '@spine/database';
import type { PayloadKey, Pool } from '@spine/database';
import { DirectoryPayloadStore, PostgresPayloadStore } from '@spine/execution';
import type { PayloadStore } from '@spine/execution';
import { createTestDatabase } from '@spine/testing';

export interface OpenStore {
  readonly store: PayloadStore;
  /** A second store over the same place, as another process has it. */
  readonly elsewhere: PayloadStore;
  /** For the question which runs there are. */
  readonly pool: Pool;
  /** Makes every payload look as if it had been stored two hours ago. */
  age(): Promise<void>;
  /** Changes a stored text behind the store's back. */
  tamper(key: PayloadKey, text: string): Promise<void>;
  /** Makes the place unusable for good. */
  ruin(): Promise<void>;
  close(): Promise<void>;
}

export async function openPostgresStore(): Promise<OpenStore> {
  const database = await createTestDatabase();
  const pool = createPool({ connectionString: database.connectionString });
  const other = createPool({ connectionString: database.connectionString });
  const admin = createPool({ connectionString: database.connectionString, role: null });
  return {
    store: new PostgresPayloadStore(pool),
    elsewhere: new PostgresPayloadStore(other),
    pool,
    age: async () => {
      await admin.query(`UPDATE run_payloads SET created_at = now() - interval '2 hours'`);
    },
    tamper: async ({ runId, slot }, text) => {
      await admin.query('UPDATE run_payloads SET content = $3 WHERE run_id = $1 AND slot = $2', [
        runId,
        slot,
        text,
      ]);
    },
    ruin: async () => {
      await admin.query('DROP TABLE run_payloads');
    },
    close: async () => {
      await Promise.all([pool.end(), other.end(), admin.end()]);
      await database.drop();
    },
  };
}

export async function openDirectoryStore(): Promise<OpenStore> {
  const database = await createTestDatabase();
  const pool = createPool({ connectionString: database.connectionString });
  const root = await mkdtemp(join(tmpdir(), 'spine-payloads-'));
  const files = async (): Promise<string[]> =>
    (await readdir(root, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  return {
    store: await DirectoryPayloadStore.open(root),
    elsewhere: await DirectoryPayloadStore.open(root),
    pool,
    age: async () => {
      const then = new Date(Date.now() - 7_200_000);
      for (const file of await files()) await utimes(file, then, then);
    },
    tamper: async ({ runId, slot }, text) => {
      const name = `${runId}.${slot.replace(':', '-')}.json`;
      const file = (await files()).find((path) => path.endsWith(name));
      if (file === undefined) throw new Error(`no file ${name}`);
      await writeFile(file, text);
    },
    ruin: async () => {
      await rm(root, { recursive: true });
      await writeFile(root, 'a file where the folder was');
    },
    close: async () => {
      await rm(root, { recursive: true, force: true });
      await pool.end();
      await database.drop();
    },
  };
}
