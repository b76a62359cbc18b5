/** Lists of workflows, of their versions and of what was published; each read is by an index and bounded. */
import { sql } from 'kysely';
import { plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db } from '../sql/kysely.ts';
import type { WorkflowVersion } from './definitions.ts';
import { toWorkflowName } from './names.ts';
import type { WorkflowName, WorkflowSource } from './names.ts';

/** Up to `limit` workflows after a name, in the order of their names. */
export async function listWorkflows(
  db: Db,
  { after, limit, archived }: { readonly after: string; readonly limit: number; readonly archived: boolean },
): Promise<WorkflowName[]> {
  const rows = await db
    .selectFrom('workflows')
    .selectAll()
    .where('name', '>', after)
    .where('archived_at', archived ? 'is not' : 'is', null)
    .orderBy('name')
    .limit(limit)
    .execute();
  return rows.map(toWorkflowName);
}

export interface NamedVersion {
  readonly name: string;
  readonly version: number;
}

/** The definitions of versions, those that are there. */
export async function definitionsOf(
  db: Db,
  versions: readonly NamedVersion[],
): Promise<readonly (NamedVersion & { readonly definition: unknown })[]> {
  if (versions.length === 0) return [];
  const { rows } = await asQueryable(db).query<NamedVersion & { definition: unknown }>({
    text: `SELECT d.name, d.version, d.definition FROM unnest($1::text[], $2::integer[]) AS t(name, version)
JOIN workflow_definitions d ON d.name = t.name AND d.version = t.version`,
    values: [textArray(versions.map(({ name }) => name)), plainArray(versions.map(({ version }) => version))],
  });
  return rows;
}

/** What a list of versions says of each: all but the definition. */
export type VersionSummary = Omit<WorkflowVersion, 'definition'>;

export interface VersionPage {
  readonly items: readonly VersionSummary[];
  readonly total: number;
  readonly hasMore: boolean;
}

/** The versions of a name, newest first. @param before leaves out this version and those after it. */
export async function listWorkflowVersions(
  db: Db,
  name: string,
  {
    before,
    limit,
    offset,
  }: { readonly before: number | null; readonly limit: number; readonly offset: number },
): Promise<VersionPage> {
  const rows = await db
    .selectFrom('workflow_definitions')
    .select(['name', 'version', 'hash', 'changelog', 'created_by', 'created_at'])
    .where('name', '=', name)
    .$if(before !== null, (query) => query.where('version', '<', before ?? 0))
    .orderBy('version', 'desc')
    .limit(limit + 1)
    .offset(offset)
    .execute();
  // Versions are numbered without gaps: the last number is how many there are.
  const { total } = await db
    .selectFrom('workflow_definitions')
    .select(sql<number>`coalesce(max(version), 0)`.as('total'))
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  const items = rows
    .slice(0, limit)
    .map(({ created_by: createdBy, created_at: createdAt, ...rest }) => ({ ...rest, createdBy, createdAt }));
  return { items, total, hasMore: rows.length > limit };
}

export interface PublicationRecord {
  /** In the order in which they happened, over all workflows. */
  readonly publicationId: number;
  readonly name: string;
  readonly action: 'published' | 'rolled_back' | 'archived';
  readonly version: number;
  readonly previousVersion: number | null;
  readonly source: WorkflowSource;
  readonly publishedBy: string;
  readonly reason: string | null;
  readonly publishedAt: Date;
}

export interface PublicationPage {
  readonly items: readonly PublicationRecord[];
  readonly total: number;
  readonly totalIsCapped: boolean;
  readonly hasMore: boolean;
}

/** Publications are counted up to here. */
const COUNTED = 10_000;

/** What a name has stood for, the newest change first. @param before leaves out this change and those after it. */
export async function listPublications(
  db: Db,
  name: string,
  {
    before,
    limit,
    offset,
  }: { readonly before: number | null; readonly limit: number; readonly offset: number },
): Promise<PublicationPage> {
  const of = db.selectFrom('workflow_publications').where('name', '=', name);
  const rows = await of
    .selectAll()
    .$if(before !== null, (query) => query.where('publication_id', '<', before ?? 0))
    .orderBy('publication_id', 'desc')
    .limit(limit + 1)
    .offset(offset)
    .execute();
  const { counted } = await db
    .selectFrom(
      of
        .select('publication_id')
        .limit(COUNTED + 1)
        .as('few'),
    )
    .select((eb) => eb.fn.countAll<number>().as('counted'))
    .executeTakeFirstOrThrow();
  return {
    items: rows.slice(0, limit).map((row) => ({
      publicationId: row.publication_id,
      name: row.name,
      action: row.action,
      version: row.version,
      previousVersion: row.previous_version,
      source: row.source,
      publishedBy: row.published_by,
      reason: row.reason,
      publishedAt: row.published_at,
    })),
    total: Math.min(counted, COUNTED),
    totalIsCapped: counted > COUNTED,
    hasMore: rows.length > limit,
  };
}
