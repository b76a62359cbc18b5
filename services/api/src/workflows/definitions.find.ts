/** Workflows and versions that a request names. */
import type { PipeTransform } from '@nestjs/common';
import { getWorkflow, getWorkflowVersion } from '@spine/database';
import type { Db, WorkflowName, WorkflowVersion } from '@spine/database';
import { workflowFromJson, workflowJson } from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';
import { HttpProblem, notFound } from '../http/problem.ts';
import { isWorkflowName } from './definitions.schemas.ts';

/** What is no name names no workflow. */
export class WorkflowNamePipe implements PipeTransform<string, string> {
  transform(name: string): string {
    if (!isWorkflowName(name)) throw notFound('workflow', name);
    return name;
  }
}

/** What is no number names no version. */
export class VersionPipe implements PipeTransform<string, number> {
  transform(text: string): number {
    const version = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (version < 1) throw notFound('version', text);
    return version;
  }
}

export interface FoundVersion {
  readonly workflow: WorkflowName;
  readonly version: WorkflowVersion;
  readonly input: WorkflowInput;
}

/** @throws HttpProblem NOT_FOUND */
export async function findWorkflow(db: Db, name: string): Promise<WorkflowName> {
  const workflow = await getWorkflow(db, name);
  if (workflow === null) throw notFound('workflow', name);
  return workflow;
}

/**
 * @param number undefined for the current version.
 * @throws HttpProblem NOT_FOUND, and CONFLICT for a version that this release does not read.
 */
export async function findVersion(db: Db, name: string, number?: number): Promise<FoundVersion> {
  const workflow = await findWorkflow(db, name);
  const version = await getWorkflowVersion(db, name, number ?? workflow.currentVersion);
  if (version === null) throw notFound('version', `${name}@${number ?? workflow.currentVersion}`);
  const parsed = workflowJson.safeParse(version.definition);
  if (!parsed.success) {
    throw new HttpProblem(
      'CONFLICT',
      `version ${version.version} of workflow ${name} is not read by this release`,
    );
  }
  return { workflow, version, input: workflowFromJson(parsed.data) };
}
