/** Whether the services' role may do what the schema gives it, and no more. */
import { APPLICATION_ROLE } from '../sql/pool.ts';
import type { Queryable } from '../sql/pool.ts';

/** Evidence: what the services append and may never change or take away. */
export const EVIDENCE_TABLES = ['run_events', 'rejects', 'audit_log', 'workflow_history'] as const;

/** The migrator's own ledger, which no service reads. */
const OF_NO_SERVICE = ['schema_migrations'];

export interface GrantFacts {
  /** Tables that the services' role cannot read or append to. */
  readonly unusable: readonly string[];
  /** Tables of {@link EVIDENCE_TABLES} that it could rewrite or empty. */
  readonly rewritable: readonly string[];
}

/**
 * Rights on the tables of the `public` schema.
 * @throws the driver's error (42704) where the services' role does not exist.
 */
export async function inspectGrants(db: Queryable): Promise<GrantFacts> {
  const { rows } = await db.query<{ table: string; usable: boolean; rewritable: boolean }>({
    text: `SELECT c.relname AS table, has_table_privilege($1, c.oid, 'SELECT')
    AND has_table_privilege($1, c.oid, 'INSERT') AS usable,
  c.relname = ANY ($2::text[]) AND has_table_privilege($1, c.oid, 'UPDATE, DELETE, TRUNCATE') AS rewritable
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND c.relname <> ALL ($3::text[]) ORDER BY c.relname`,
    values: [APPLICATION_ROLE, [...EVIDENCE_TABLES], OF_NO_SERVICE],
  });
  return {
    unusable: rows.filter(({ usable }) => !usable).map(({ table }) => table),
    rewritable: rows.filter(({ rewritable }) => rewritable).map(({ table }) => table),
  };
}
