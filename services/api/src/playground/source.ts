/** What a session is made of: a published workflow, a definition of the caller's own, or what a run went by. */
import { assertNever, ValidationError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { getWorkflow, getWorkflowRun } from '@spine/database';
import { defineWorkflow, recordWorkflowRun } from '@spine/orchestration';
import type {
  DefinitionVersions,
  InspectServices,
  WorkflowDefinition,
  WorkflowRecording,
} from '@spine/orchestration';
import { HttpProblem, invalid, notFound } from '../http/problem.ts';
import type { FieldError } from '../http/problem.ts';
import { postedWorkflow } from '../workflows/definitions.input.ts';
import type { SessionBody } from './playground.schemas.ts';

export interface Source {
  readonly definition: WorkflowDefinition;
  readonly version: number | null;
  readonly params: JsonObject;
  readonly environment: string;
  readonly source: { readonly runId: string; readonly recording: WorkflowRecording } | null;
}

interface Defined {
  readonly definition: WorkflowDefinition;
  readonly version: number | null;
}

/**
 * @throws HttpProblem for a body that names none or two, for a workflow, version or run that does not exist, for a run that has
 * no recording, and for a definition that is none.
 */
export async function sourceOf(services: InspectServices, body: SessionBody): Promise<Source> {
  const issues = issuesOf(body);
  if (issues.length > 0) throw invalid(issues);
  const { params, environment, run_id: runId } = body;
  const own = await definedBy(services, body);
  if (runId === undefined) {
    if (own === null) throw invalid([NO_SOURCE]);
    return { ...own, params: params ?? {}, environment: environment ?? 'production', source: null };
  }
  const recording = await recordingOf(services, runId);
  const defined = own ?? (await definedByRun(services, runId));
  return {
    ...defined,
    params: params ?? recording.params,
    environment: environment ?? recording.environment,
    source: { runId, recording },
  };
}

const NO_SOURCE: FieldError = {
  field: 'workflow',
  code: 'required',
  message: 'name a workflow, or send definition or yaml_content',
};

function issuesOf({ workflow, version, definition, yaml_content, mode, run_id }: SessionBody): FieldError[] {
  const given = Object.entries({ workflow, definition, yaml_content }).filter(
    ([, value]) => value !== undefined,
  );
  const conflict = (field: string, message: string): FieldError => ({ field, code: 'conflict', message });
  const issues: FieldError[] = [];
  if (given.length > 1)
    issues.push(conflict(given[1]?.[0] ?? 'body', `cannot be used together with ${given[0]?.[0] ?? ''}`));
  if (version !== undefined && workflow === undefined)
    issues.push(conflict('version', 'is one of the workflow named by workflow'));
  if (mode === 'recorded' && run_id === undefined)
    issues.push({ field: 'run_id', code: 'required', message: 'is required in mode recorded' });
  if (mode !== 'recorded' && run_id !== undefined)
    issues.push(conflict('run_id', `is of mode recorded; given mode ${mode}`));
  return issues;
}

/** Null where the body has no definition. */
async function definedBy({ db, definitions }: InspectServices, body: SessionBody): Promise<Defined | null> {
  const { workflow, definition, yaml_content: yaml } = body;
  if (definition !== undefined || yaml !== undefined) return { definition: posted(body), version: null };
  if (workflow === undefined) return null;
  const version = body.version ?? (await getWorkflow(db, workflow))?.currentVersion;
  if (version === undefined) throw notFound('workflow', workflow);
  return { definition: await versionOf(definitions, db, workflow, version), version };
}

/** @throws HttpProblem for one that is none, at its place in the body. */
function posted(body: SessionBody): WorkflowDefinition {
  const workflow = postedWorkflow(body);
  try {
    return defineWorkflow(workflow);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    throw invalid(error.issues.map((issue) => ({ ...issue, field: `definition.${issue.field}` })));
  }
}

async function definedByRun({ db, definitions }: InspectServices, runId: string): Promise<Defined> {
  const run = await getWorkflowRun(db, runId);
  if (run === null) throw notFound('run', runId);
  return { definition: await versionOf(definitions, db, run.name, run.version), version: run.version };
}

async function versionOf(
  definitions: DefinitionVersions,
  db: InspectServices['db'],
  name: string,
  version: number,
): Promise<WorkflowDefinition> {
  const definition = await definitions.find(db, name, version);
  if (definition === null) throw notFound('workflow version', `${name} ${version}`);
  return definition;
}

async function recordingOf(services: InspectServices, runId: string): Promise<WorkflowRecording> {
  const outcome = await recordWorkflowRun(services, runId);
  switch (outcome.type) {
    case 'recorded':
      if (outcome.recording.beginning !== undefined)
        throw unrecorded(
          runId,
          'did not begin at the beginning: it is a fork, or goes on with what another run has left',
        );
      return outcome.recording;
    case 'not_found':
      throw notFound('run', runId);
    case 'not_begun':
      throw unrecorded(runId, 'is no workflow run, or has not begun');
    case 'not_ended':
      throw unrecorded(runId, 'has not ended');
    case 'incomplete':
      throw unrecorded(runId, `has no whole recording: ${outcome.reason}`);
    case 'too_large':
      throw new HttpProblem(
        'PAYLOAD_TOO_LARGE',
        `the recording of run ${runId} is too large: ${outcome.events} events, ${outcome.bytes} bytes`,
      );
    default:
      return assertNever(outcome);
  }
}

function unrecorded(runId: string, why: string): HttpProblem {
  return new HttpProblem('CONFLICT', `run ${runId} ${why}`, {
    errors: [{ field: 'run_id', code: 'not_recorded', message: why }],
  });
}
