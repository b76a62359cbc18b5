/**
 * A database whose `now()` and `statement_timestamp()` are what the test says. The statements are sent as they are;
 * functions of these names stand before the built-in ones in the search path of this database, and read a table.
 */
import { createPool } from '@spine/database';
import { openEngineDatabase } from '../../integration/engine-support.ts';
import type { EngineDatabase } from '../../integration/engine-support.ts';

/** Where virtual time begins. */
export const BASE = Date.UTC(2030, 0, 1);

const SETUP = `CREATE SCHEMA virtual;
CREATE TABLE virtual.clock (now timestamptz NOT NULL, statement timestamptz NOT NULL);
INSERT INTO virtual.clock VALUES ('2030-01-01T00:00:00Z', '2030-01-01T00:00:00Z');
CREATE FUNCTION virtual.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT c.now FROM virtual.clock c';
CREATE FUNCTION virtual.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
  AS 'SELECT c.statement FROM virtual.clock c';
GRANT USAGE ON SCHEMA virtual TO spine_app;
GRANT SELECT ON virtual.clock TO spine_app;
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = virtual, pg_catalog, public', current_database());
END $$`;

export interface ClockedDatabase extends EngineDatabase {
  /**
   * Moves the clock to this many milliseconds after {@link BASE}.
   * @param lateMs how long a transaction that began then has lasted when its statement comes.
   */
  setTime(ms: number, lateMs?: number): Promise<void>;
}

export async function openClockedDatabase(): Promise<ClockedDatabase> {
  const base = await openEngineDatabase();
  // The setting holds for connections made after it: no other one has been made yet.
  const first = createPool({ connectionString: base.connectionString, role: null, max: 1 });
  await first.query(SETUP);
  await first.end();
  return {
    ...base,
    setTime: async (ms, lateMs = 0) => {
      const times = [ms, ms + lateMs].map((time) => new Date(BASE + time));
      await base.admin.query('UPDATE virtual.clock SET now = $1, statement = $2', times);
    },
  };
}
