/**
 * Versions of workflow definitions.
 *
 * 1. A version never changes, so that a run can go on with the one it began with. 2. The same definition again is the
 * version it was. 3. Two that register one name at once wait for each other: versions have no gaps and no twins.
 */
import { sql } from 'kysely';
import { atomically } from '../sql/atomically.ts';
import { jsonb } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';

export interface NewWorkflowVersion {
  readonly name: string;
  /** SHA-256 of the definition, in hex. */
  readonly hash: string;
  /** JSON. */
  readonly definition: unknown;
  readonly createdBy: string;
  readonly changelog?: string | null;
}

export interface WorkflowVersion {
  readonly name: string;
  /** From 1. */
  readonly version: number;
  readonly hash: string;
  readonly definition: unknown;
  readonly changelog: string | null;
  readonly createdBy: string;
  readonly createdAt: Date;
}

/** Stores a definition; answers with its version, and whether it is new. */
export async function registerWorkflowVersion(
  db: Db | DbTransaction,
  { name, hash, definition, createdBy, changelog = null }: NewWorkflowVersion,
): Promise<{ readonly version: number; readonly isNew: boolean }> {
  const known = await versionWithHash(db, name, hash);
  if (known !== null) return { version: known, isNew: false };
  return atomically(db, async (trx) => {
    await lockWorkflowName(trx, name);
    const meanwhile = await versionWithHash(trx, name, hash);
    if (meanwhile !== null) return { version: meanwhile, isNew: false };
    const { version } = await trx
      .insertInto('workflow_definitions')
      .columns(['name', 'version', 'hash', 'definition', 'changelog', 'created_by'])
      .expression((from) =>
        from
          .selectFrom('workflow_definitions')
          .where('name', '=', name)
          .select((of) => [
            sql<string>`${name}::text`.as('name'),
            sql<number>`coalesce(${of.fn.max('version')}, 0) + 1`.as('version'),
            sql<string>`${hash}::text`.as('hash'),
            jsonb(definition).as('definition'),
            sql<string | null>`${changelog}::text`.as('changelog'),
            sql<string>`${createdBy}::text`.as('created_by'),
          ]),
      )
      .returning('version')
      .executeTakeFirstOrThrow();
    return { version, isNew: true };
  });
}

/** Until the transaction ends nobody else registers or publishes a version of this name. */
export async function lockWorkflowName(trx: Db | DbTransaction, name: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended('workflow_definitions:' || ${name}, 0))`.execute(
    trx,
  );
}

async function versionWithHash(db: Db | DbTransaction, name: string, hash: string): Promise<number | null> {
  const row = await db
    .selectFrom('workflow_definitions')
    .select('version')
    .where('name', '=', name)
    .where('hash', '=', hash)
    .executeTakeFirst();
  return row?.version ?? null;
}

/** The version that a workflow run was handed over with; null for one that has not begun. */
export async function versionOfBegunRun(db: Db | DbTransaction, runId: string): Promise<number | null> {
  const row = await db
    .selectFrom('workflow_runs')
    .select('version')
    .where('run_id', '=', runId)
    .executeTakeFirst();
  return row?.version ?? null;
}

/** @param version null for the latest. Null for an unknown one. */
export async function getWorkflowVersion(
  db: Db | DbTransaction,
  name: string,
  version: number | null,
): Promise<WorkflowVersion | null> {
  const row = await db
    .selectFrom('workflow_definitions')
    .selectAll()
    .where('name', '=', name)
    .$if(version !== null, (query) => query.where('version', '=', version ?? 0))
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return null;
  const { created_by: createdBy, created_at: createdAt, ...rest } = row;
  return { ...rest, createdBy, createdAt };
}
