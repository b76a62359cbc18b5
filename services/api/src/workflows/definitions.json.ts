/** What the endpoints of workflow definitions answer. */
import { z } from 'zod';
import type { PublicationRecord, VersionSummary, WorkflowName, WorkflowVersion } from '@spine/database';
import { STEP_KINDS, visualizeSummary } from '@spine/orchestration';
import type { CatalogHit, WorkflowDiff, WorkflowInput } from '@spine/orchestration';

const instant = z.iso.datetime();
const definition = z.record(z.string(), z.unknown()).describe('As POST /workflows takes it.');

const named = {
  name: z.string(),
  version: z.int().describe('The one that new runs begin with.'),
  source: z.enum(['code', 'api']).describe('Whether the release of a worker defines it, or it was posted.'),
  revision: z.int().describe('Raised by every change; also the ETag.'),
  domain: z.string().nullable(),
  description: z.string().nullable(),
  tags: z.array(z.string()),
  steps: z.int(),
  kinds: z.partialRecord(z.enum(STEP_KINDS), z.int()).describe('Steps by their kind.'),
  handlers: z.array(z.string()),
  created_by: z.string(),
  created_at: instant,
  updated_by: z.string(),
  updated_at: instant,
  archived_at: instant.nullable().describe('Since when it takes no new runs; null for one that does.'),
};

export const workflowSummaryJson = z
  .object({
    ...named,
    score: z.number().describe('How well the words of q match.'),
    stats: z
      .object({
        completed: z.int(),
        failed: z.int(),
        success_rate: z.number().nullable().describe('0 to 1; null where no run has ended.'),
        duration_p50_ms: z.number().nullable(),
      })
      .nullable()
      .describe('Of the last runs, where it is sorted by them.'),
  })
  .meta({ id: 'WorkflowSummary' });
export type WorkflowSummaryJson = z.infer<typeof workflowSummaryJson>;

export const workflowDetailJson = z
  .object({ ...named, hash: z.string().describe('SHA-256 of the definition.'), definition })
  .meta({ id: 'Workflow' });
export type WorkflowDetailJson = z.infer<typeof workflowDetailJson>;

function namedJson(workflow: WorkflowName, input: WorkflowInput) {
  const { steps, kinds, handlers } = visualizeSummary(input);
  return {
    name: workflow.name,
    version: workflow.currentVersion,
    source: workflow.source,
    revision: workflow.revision,
    domain: input.domain ?? null,
    description: input.description ?? null,
    tags: [...(input.tags ?? [])],
    steps,
    kinds,
    handlers: [...handlers],
    created_by: workflow.createdBy,
    created_at: workflow.createdAt.toISOString(),
    updated_by: workflow.updatedBy,
    updated_at: workflow.updatedAt.toISOString(),
    archived_at: workflow.archivedAt?.toISOString() ?? null,
  };
}

export function toSummaryJson(
  workflow: WorkflowName,
  { workflow: input, score, stats }: CatalogHit,
): WorkflowSummaryJson {
  return {
    ...namedJson(workflow, input),
    score,
    stats:
      stats === null
        ? null
        : {
            completed: stats.completed,
            failed: stats.failed,
            success_rate: stats.rate,
            duration_p50_ms: stats.durationMs.p50,
          },
  };
}

export function toDetailJson(
  workflow: WorkflowName,
  version: WorkflowVersion,
  input: WorkflowInput,
): WorkflowDetailJson {
  return {
    ...namedJson(workflow, input),
    hash: version.hash,
    definition: { ...objectOf(version.definition) },
  };
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

const versionFields = {
  name: z.string(),
  version: z.int().describe('From 1.'),
  hash: z.string(),
  changelog: z.string().nullable(),
  created_by: z.string(),
  created_at: instant,
};
export const versionSummaryJson = z.object(versionFields).meta({ id: 'WorkflowVersionSummary' });
export const versionJson = z.object({ ...versionFields, definition }).meta({ id: 'WorkflowVersion' });

export function toVersionSummaryJson(version: VersionSummary): z.infer<typeof versionSummaryJson> {
  const { name, version: number, hash, changelog, createdBy, createdAt } = version;
  return {
    name,
    version: number,
    hash,
    changelog,
    created_by: createdBy,
    created_at: createdAt.toISOString(),
  };
}

export function toVersionJson(version: WorkflowVersion): z.infer<typeof versionJson> {
  return { ...toVersionSummaryJson(version), definition: { ...objectOf(version.definition) } };
}

export const publicationJson = z
  .object({
    publication_id: z.string(),
    name: z.string(),
    action: z.enum(['published', 'rolled_back', 'archived']),
    version: z.int(),
    previous_version: z.int().nullable(),
    source: z.enum(['code', 'api']),
    published_by: z.string(),
    reason: z.string().nullable().describe('The changelog of what was published, the reason of a rollback.'),
    published_at: instant,
  })
  .meta({
    id: 'WorkflowPublication',
    description: 'A change of what a name stands for. Never changed itself.',
  });

export function toPublicationJson(record: PublicationRecord): z.infer<typeof publicationJson> {
  return {
    publication_id: String(record.publicationId),
    name: record.name,
    action: record.action,
    version: record.version,
    previous_version: record.previousVersion,
    source: record.source,
    published_by: record.publishedBy,
    reason: record.reason,
    published_at: record.publishedAt.toISOString(),
  };
}

const fieldChange = z.object({ field: z.string(), before: z.unknown(), after: z.unknown() });
export const diffJson = z
  .object({
    name: z.string(),
    before: z.int(),
    after: z.int(),
    steps_added: z.array(z.string()),
    steps_removed: z.array(z.string()),
    steps_changed: z.array(z.object({ step: z.string(), fields: z.array(fieldChange) })),
    steps_reordered: z.boolean(),
    fields: z.array(fieldChange).describe('Beside the steps. null where a field is not there.'),
    is_equal: z.boolean(),
  })
  .meta({ id: 'WorkflowDiff' });

export function toDiffJson(
  name: string,
  [before, after]: readonly [number, number],
  diff: WorkflowDiff,
): z.infer<typeof diffJson> {
  return {
    name,
    before,
    after,
    steps_added: [...diff.added],
    steps_removed: [...diff.removed],
    steps_changed: diff.changed.map(({ step, fields }) => ({ step, fields: [...fields] })),
    steps_reordered: diff.reordered,
    fields: [...diff.fields],
    is_equal: diff.isEqual,
  };
}
