/**
 * What a workflow's name stands for: the version that new runs begin with.
 *
 * 1. Every change of a name holds the lock of the name, under which versions are numbered as well: publishers wait for one
 *    another, and the last one's version is current. 2. A change raises the revision and is written down in
 *    `workflow_publications` by the same transaction; what changes nothing writes nothing. 3. Who names a revision changes
 *    that one or nothing. 4. A name that code defines is changed by code alone. 5. Versions are never removed: an archived
 *    name keeps them, and its runs.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import { textArray } from '../sql/arrays.ts';
import { atomically } from '../sql/atomically.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import type { Database } from '../sql/schema.ts';
import { getWorkflowVersion, lockWorkflowName, registerWorkflowVersion } from './definitions.ts';
import type { NewWorkflowVersion } from './definitions.ts';

/** `code`: the release of a worker defines it. `api`: it was posted. */
export type WorkflowSource = Database['workflows']['source'];

export interface WorkflowName {
  readonly name: string;
  /** Of runs that are submitted from now on. */
  readonly currentVersion: number;
  readonly source: WorkflowSource;
  /** Raised by every change. */
  readonly revision: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedBy: string;
  readonly updatedAt: Date;
  /** Null for one that takes new runs. */
  readonly archivedAt: Date | null;
}

/** Who changes a name, and what has to hold for it. */
export interface NameChange {
  readonly name: string;
  readonly by: string;
  readonly source: WorkflowSource;
  /** The revision it is to be made over; null for whatever is there. */
  readonly revision: number | null;
  /** Whether a release in use defines this name in code: the API may not change it then. */
  readonly isInCode: boolean;
}

export interface Publication extends NameChange, Pick<NewWorkflowVersion, 'hash' | 'definition'> {
  readonly changelog: string | null;
}

/** Why a name was left as it is. */
export type NameRefusal =
  /** Another has changed it since it was read. */
  { readonly type: 'stale'; readonly workflow: WorkflowName } | { readonly type: 'owned_by_code' };

export type PublishOutcome =
  /** @property isNew of the name; `isNewVersion` false where an older version is current again. */
  | {
      readonly type: 'published';
      readonly workflow: WorkflowName;
      readonly isNew: boolean;
      readonly isNewVersion: boolean;
    }
  /** It is what the name stands for already. */
  | { readonly type: 'unchanged'; readonly workflow: WorkflowName }
  | NameRefusal;

/** Makes a definition what its name stands for. An archived name takes runs again. */
export function publishWorkflow(db: Db | DbTransaction, publication: Publication): Promise<PublishOutcome> {
  const { name, hash, definition, changelog, by, source } = publication;
  return atomically(db, async (trx): Promise<PublishOutcome> => {
    await lockWorkflowName(trx, name);
    const there = await getWorkflow(trx, name);
    const refusal = refusalOf(there, publication);
    if (refusal !== null) return refusal;
    const registered = await registerWorkflowVersion(trx, {
      name,
      hash,
      definition,
      changelog,
      createdBy: by,
    });
    const { version } = registered;
    if (there?.currentVersion === version && there.source === source && there.archivedAt === null) {
      return { type: 'unchanged', workflow: there };
    }
    const workflow = await setCurrent(trx, there, { name, version, source, by });
    await record(trx, publication, 'published', version, there, changelog);
    return { type: 'published', workflow, isNew: there === null, isNewVersion: registered.isNew };
  });
}

export interface Rollback extends NameChange {
  /** The version that is to be current again. */
  readonly version: number;
  readonly reason: string;
}

export type RollbackOutcome =
  | { readonly type: 'rolled_back'; readonly workflow: WorkflowName }
  | { readonly type: 'unchanged'; readonly workflow: WorkflowName }
  | { readonly type: 'not_found' }
  | { readonly type: 'no_version' }
  | { readonly type: 'archived' }
  | NameRefusal;

/** Makes another version current, an older one as a rule. Runs that were submitted keep theirs. */
export function rollBackWorkflow(db: Db | DbTransaction, rollback: Rollback): Promise<RollbackOutcome> {
  const { name, version, by, source, reason } = rollback;
  return atomically(db, async (trx): Promise<RollbackOutcome> => {
    await lockWorkflowName(trx, name);
    const there = await getWorkflow(trx, name);
    if (there === null) return { type: 'not_found' };
    const refusal = refusalOf(there, rollback);
    if (refusal !== null) return refusal;
    if (there.archivedAt !== null) return { type: 'archived' };
    if ((await getWorkflowVersion(trx, name, version)) === null) return { type: 'no_version' };
    if (there.currentVersion === version) return { type: 'unchanged', workflow: there };
    const workflow = await setCurrent(trx, there, { name, version, source, by });
    await record(trx, rollback, 'rolled_back', version, there, reason);
    return { type: 'rolled_back', workflow };
  });
}

export type ArchiveOutcome =
  | { readonly type: 'archived'; readonly workflow: WorkflowName }
  /** It was before. */
  | { readonly type: 'unchanged'; readonly workflow: WorkflowName }
  | { readonly type: 'not_found' }
  | NameRefusal;

/** Takes no new runs any more; what was submitted goes on. Publishing it again undoes this. */
export function archiveWorkflow(
  db: Db | DbTransaction,
  change: NameChange & { readonly reason: string | null },
): Promise<ArchiveOutcome> {
  const { name, by, reason } = change;
  return atomically(db, async (trx): Promise<ArchiveOutcome> => {
    await lockWorkflowName(trx, name);
    const there = await getWorkflow(trx, name);
    if (there === null) return { type: 'not_found' };
    const refusal = refusalOf(there, change);
    if (refusal !== null) return refusal;
    if (there.archivedAt !== null) return { type: 'unchanged', workflow: there };
    const row = await trx
      .updateTable('workflows')
      .set({ ...touched(by), archived_at: sql<Date>`now()` })
      .where('name', '=', name)
      .where('revision', '=', there.revision)
      .returningAll()
      .executeTakeFirstOrThrow();
    await record(trx, change, 'archived', there.currentVersion, there, reason);
    return { type: 'archived', workflow: toWorkflowName(row) };
  });
}

/** Null for a name that nobody has published; one that was archived is there. */
export async function getWorkflow(db: Db | DbTransaction, name: string): Promise<WorkflowName | null> {
  const row = await db.selectFrom('workflows').selectAll().where('name', '=', name).executeTakeFirst();
  return row === undefined ? null : toWorkflowName(row);
}

/** Whether new runs of this name can begin. */
export async function isPublishedWorkflow(db: Queryable, name: string): Promise<boolean> {
  const { rows } = await db.query({
    name: 'spine_published_workflow',
    text: 'SELECT 1 FROM workflows WHERE name = $1 AND archived_at IS NULL',
    values: [name],
  });
  return rows.length > 0;
}

/** The JSON of the current definitions of those of the names that take runs. */
export async function currentDefinitions(
  db: Db | DbTransaction,
  names: readonly string[],
): Promise<ReadonlyMap<string, unknown>> {
  if (names.length === 0) return new Map();
  const { rows } = await asQueryable(db).query<{ name: string; definition: unknown }>({
    text: `SELECT w.name, d.definition FROM workflows w
JOIN workflow_definitions d ON d.name = w.name AND d.version = w.current_version
WHERE w.name = ANY ($1::text[]) AND w.archived_at IS NULL`,
    values: [textArray(names)],
  });
  return new Map(rows.map(({ name, definition }) => [name, definition]));
}

function refusalOf(
  there: WorkflowName | null,
  { source, isInCode, revision }: NameChange,
): NameRefusal | null {
  if (source === 'api' && isInCode) return { type: 'owned_by_code' };
  if (revision !== null && there !== null && there.revision !== revision) {
    return { type: 'stale', workflow: there };
  }
  return null;
}

function touched(by: string) {
  return { revision: sql<number>`revision + 1`, updated_by: by, updated_at: sql<Date>`now()` };
}

async function setCurrent(
  trx: Db | DbTransaction,
  there: WorkflowName | null,
  to: {
    readonly name: string;
    readonly version: number;
    readonly source: WorkflowSource;
    readonly by: string;
  },
): Promise<WorkflowName> {
  const { name, version, source, by } = to;
  if (there === null) {
    const row = await trx
      .insertInto('workflows')
      .values({ name, current_version: version, source, created_by: by, updated_by: by })
      .returningAll()
      .executeTakeFirstOrThrow();
    return toWorkflowName(row);
  }
  const row = await trx
    .updateTable('workflows')
    .set({ ...touched(by), current_version: version, source, archived_at: null })
    .where('name', '=', name)
    .where('revision', '=', there.revision)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toWorkflowName(row);
}

async function record(
  trx: Db | DbTransaction,
  { name, by, source }: NameChange,
  action: Database['workflow_publications']['action'],
  version: number,
  before: WorkflowName | null,
  reason: string | null,
): Promise<void> {
  await trx
    .insertInto('workflow_publications')
    .values({
      name,
      action,
      version,
      previous_version: before?.currentVersion ?? null,
      source,
      published_by: by,
      reason,
    })
    .execute();
}

export function toWorkflowName(row: Selectable<Database['workflows']>): WorkflowName {
  return {
    name: row.name,
    currentVersion: row.current_version,
    source: row.source,
    revision: row.revision,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedBy: row.updated_by,
    updatedAt: row.updated_at,
    archivedAt: row.archived_at,
  };
}
