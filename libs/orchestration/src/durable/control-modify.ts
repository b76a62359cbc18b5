/**
 * Changes to the plan of a run that is under way, from outside.
 *
 * 1. What could not be done is refused before anything is told: the planner itself is asked, with the run as it is. 2. What is
 * told may still come too late; then it counts for nothing and is not in the history. 3. What has counted is a recorded
 * event (`modified`), so that a replay makes it again.
 */
import type { RunStatus } from '@spine/core';
import { inSnapshot, readStateRecords, tellWorkflow } from '@spine/database';
import type { Db, DbTransaction, RunRecord } from '@spine/database';
import type { CapacityCache, HandlerRegistry } from '@spine/execution';
import type { WorkflowEvent } from '../engine/event.ts';
import type { RunHead } from '../engine/state.ts';
import { callsIn } from '../workflow/check.ts';
import type { Step } from '../workflow/model.ts';
import type { Modification } from '../workflow/modification.ts';
import type { DefinitionVersions } from './definitions.ts';
import { readSnapshot } from './inspect-snapshot.ts';
import type { WorkflowSnapshot } from './inspect-snapshot.ts';
import { Planning } from './planning.ts';
import { publishedLookups } from './published-lookups.ts';

export interface ModifyServices {
  readonly db: Db;
  readonly definitions: DefinitionVersions;
  /** Where handlers of new steps are looked for; live workers are asked as well. */
  readonly registry: HandlerRegistry;
  readonly capacity: CapacityCache;
}

export interface ModifyRequest {
  readonly modification: Modification;
  /** Who asks; kept in the history. */
  readonly by: string;
  readonly reason?: string | undefined;
  /** Only says whether it could be done. Default false. */
  readonly dryRun?: boolean;
}

export type ModifyOutcome =
  /** @property suspended whether its run is paused: it hears of it when it is resumed. */
  | { readonly type: 'told'; readonly suspended: boolean }
  | { readonly type: 'would_tell'; readonly suspended: boolean }
  /** It cannot be done; `reason` names the step. */
  | { readonly type: 'refused'; readonly reason: string }
  /** A new step names what nobody who lives knows. */
  | { readonly type: 'missing_handlers'; readonly handlers: readonly string[] }
  | { readonly type: 'not_found' }
  | { readonly type: 'not_begun'; readonly run: RunRecord }
  | { readonly type: 'ended'; readonly status: RunStatus };

export async function modifyWorkflowRun(
  services: ModifyServices,
  runId: string,
  { modification, by, reason, dryRun = false }: ModifyRequest,
): Promise<ModifyOutcome> {
  const missing = await missingHandlers(services, modification);
  if (missing.length > 0) return { type: 'missing_handlers', handlers: missing };
  const event: WorkflowEvent = {
    type: 'modified',
    modification,
    by,
    ...(reason === undefined ? {} : { reason }),
  };
  const tried = await inSnapshot(services.db, (trx) => tryEvent(trx, services.definitions, runId, event));
  if (tried.type !== 'would_tell' || dryRun) return tried;
  if (await tellWorkflow(services.db, runId, event)) return { ...tried, type: 'told' };
  return { type: 'refused', reason: 'the run has just ended' };
}

async function tryEvent(
  trx: DbTransaction,
  definitions: DefinitionVersions,
  runId: string,
  event: WorkflowEvent,
): Promise<Exclude<ModifyOutcome, { type: 'told' | 'missing_handlers' }>> {
  const read = await readSnapshot(trx, definitions, runId);
  if (read.type !== 'found') return read;
  const { run, record } = read.snapshot;
  if (record.status === 'ended' || run.completedAt !== null) return { type: 'ended', status: run.status };
  const ignored = await planOnly(trx, read.snapshot, event);
  return ignored === null
    ? { type: 'would_tell', suspended: run.status !== 'running' }
    : { type: 'refused', reason: ignored };
}

/** @returns why the event would count for nothing now; null when it would count. */
async function planOnly(
  trx: DbTransaction,
  { run, record, definition }: WorkflowSnapshot,
  event: WorkflowEvent,
): Promise<string | null> {
  const planning = new Planning(
    definition,
    record.head as RunHead | null,
    (names) =>
      readStateRecords(
        trx,
        names.map((name) => ({ ...name, runId: run.runId })),
      ),
    new Date(),
  );
  return planning.tell(event);
}

async function missingHandlers(services: ModifyServices, modification: Modification): Promise<string[]> {
  const step = stepOf(modification);
  if (step === null) return [];
  const { hasHandler } = await publishedLookups(services, null);
  const missing = callsIn({ name: 'modification', steps: [step] })
    .filter(({ call }) => hasHandler?.(call.kind, call.handler) === false)
    .map(({ call }) => `${call.kind} ${call.handler}`);
  return [...new Set(missing)];
}

function stepOf(modification: Modification): Step | null {
  return 'step' in modification && typeof modification.step !== 'string' ? modification.step : null;
}
