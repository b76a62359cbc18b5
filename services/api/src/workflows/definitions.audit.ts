/** What the audit log has of a workflow before and after a change. */
import { getWorkflow, getWorkflowVersion } from '@spine/database';
import type { Db } from '@spine/database';
import type { FoundVersion } from './definitions.find.ts';

/** Where the name stands and what it stands for. */
export interface AuditedWorkflow {
  readonly name: string;
  readonly version: number;
  readonly revision: number;
  readonly archived_at: string | null;
  /** As it is stored: one that this release does not read is written down all the same. */
  readonly definition: unknown;
}

export function toAuditedWorkflow({
  workflow,
  version,
}: Pick<FoundVersion, 'workflow' | 'version'>): AuditedWorkflow {
  return {
    name: workflow.name,
    version: version.version,
    revision: workflow.revision,
    archived_at: workflow.archivedAt?.toISOString() ?? null,
    definition: version.definition,
  };
}

/** Undefined for a workflow that is not there. */
export async function auditedWorkflow(db: Db, name: string): Promise<AuditedWorkflow | undefined> {
  const workflow = await getWorkflow(db, name);
  if (workflow === null) return undefined;
  const version = await getWorkflowVersion(db, name, workflow.currentVersion);
  return version === null ? undefined : toAuditedWorkflow({ workflow, version });
}
