/** The schema as it stands in the database: what the migrations have made of it. */
import { sql } from 'kysely';
import type { Db } from '../sql/kysely.ts';

export interface ColumnFacts {
  readonly column: string;
  /** As Postgres writes it, e.g. `timestamp with time zone`. */
  readonly type: string;
  readonly nullable: boolean;
  /** An SQL expression; null for none. */
  readonly default: string | null;
}

export interface ConstraintFacts {
  readonly constraint: string;
  readonly definition: string;
}

export interface TableSchema {
  readonly table: string;
  readonly columns: readonly ColumnFacts[];
  readonly constraints: readonly ConstraintFacts[];
  readonly indexes: readonly string[];
  readonly triggers: readonly string[];
}

export interface SchemaFacts {
  /** Tables of the `public` schema, by name. */
  readonly tables: readonly TableSchema[];
}

interface SchemaRow {
  table: string;
  columns: ColumnFacts[];
  constraints: ConstraintFacts[];
  indexes: string[];
  triggers: string[];
}

/** Columns in their order, constraints, indexes and triggers by name. */
export async function describeSchema(db: Db): Promise<SchemaFacts> {
  const { rows } = await sql<SchemaRow>`
    SELECT c.relname AS table,
      (SELECT jsonb_agg(jsonb_build_object('column', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'nullable', NOT a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
      (SELECT COALESCE(jsonb_agg(jsonb_build_object('constraint', k.conname, 'definition', pg_get_constraintdef(k.oid))
          ORDER BY k.conname), '[]')
        FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n') AS constraints,
      (SELECT COALESCE(jsonb_agg(pg_get_indexdef(i.indexrelid) ORDER BY i.indexrelid::regclass::text), '[]')
        FROM pg_index i WHERE i.indrelid = c.oid) AS indexes,
      (SELECT COALESCE(jsonb_agg(pg_get_triggerdef(t.oid) ORDER BY t.tgname), '[]')
        FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS triggers
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    ORDER BY c.relname`.execute(db);
  return { tables: rows };
}
