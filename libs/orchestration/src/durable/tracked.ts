/**
 * Runs of workflows that are for a partition: the same workflow and partition is done once, on request again.
 *
 * The runner only asks; that a partition is not done twice and not by two at a time is decided and recorded by the engine,
 * for every run with a partition, whoever has started it.
 */
import { listAnomalies, manifestOf, workflowDomain, WORKFLOW_STAGE } from '@spine/database';
import type { Anomaly, Db, LedgerPage, ManifestRow, RunRecord } from '@spine/database';
import { NotFoundError, ValidationError } from '@spine/core';
import type { JsonObject, WorkflowPartition } from '@spine/core';
import type { Dispatcher, WaitOptions } from '@spine/execution';
import type { SkippedResult } from './admit-run.ts';
import { startWorkflow } from './start.ts';
import type { StartOutcome, StartServices, WorkflowStart } from './start.ts';

export type TrackedOutcome =
  | { readonly status: 'completed'; readonly run: RunRecord; readonly outputs: JsonObject }
  /** Another run is the reason: it has completed the partition, or is at it. */
  | {
      readonly status: 'skipped';
      readonly run: RunRecord;
      readonly reason: string;
      readonly because: string | null;
    }
  /** Failed, cancelled, timed out; or still under way when the time to wait was over. */
  | { readonly status: 'not_completed'; readonly run: RunRecord };

export interface TrackedStart extends WorkflowStart {
  readonly partition: WorkflowPartition;
}

export interface TrackedServices extends StartServices {
  readonly dispatcher: Dispatcher;
}

export class TrackedWorkflowRunner {
  readonly #services: TrackedServices;

  constructor(services: TrackedServices) {
    this.#services = services;
  }

  submit(name: string, start: TrackedStart): Promise<StartOutcome> {
    return startWorkflow(this.#services, name, start);
  }

  /**
   * Submits a run and waits for its end.
   * @throws NotFoundError for a workflow or version that is not there, or archived; ValidationError for what is refused.
   */
  async execute(name: string, start: TrackedStart, wait: WaitOptions = {}): Promise<TrackedOutcome> {
    const { dispatcher, db } = this.#services;
    const runId = runIdOf(name, await this.submit(name, start));
    const run = await dispatcher.wait(runId, wait);
    if (run.status !== 'completed') return { status: 'not_completed', run };
    const skipped = await skippedResultOf(db, run);
    if (skipped !== null) {
      return { status: 'skipped', run, reason: skipped.reason, because: skipped.run_id };
    }
    return { status: 'completed', run, outputs: run.result as JsonObject };
  }

  /** The run that has completed a partition last; null where none has. */
  async completed(name: string, partition: WorkflowPartition): Promise<ManifestRow | null> {
    const rows = await manifestOf(this.#services.db, workflowDomain(name), partition);
    return rows.find(({ stage }) => stage === WORKFLOW_STAGE) ?? null;
  }

  /** Runs that have failed their partition, newest first, as anomalies. */
  failures(
    name: string,
    { limit = 50, partition }: { readonly limit?: number; readonly partition?: WorkflowPartition } = {},
  ): Promise<LedgerPage<Anomaly>> {
    const filter = {
      domain: workflowDomain(name),
      ...(partition === undefined ? {} : { partitionKey: partition }),
    };
    return listAnomalies(this.#services.db, filter, { limit });
  }
}

/** Why a completed workflow run was not begun; null for one that was. */
export async function skippedResultOf(db: Db, run: RunRecord): Promise<SkippedResult | null> {
  if (run.kind !== 'workflow' || run.status !== 'completed') return null;
  const begun = await db
    .selectFrom('workflow_runs')
    .select('run_id')
    .where('run_id', '=', run.runId)
    .executeTakeFirst();
  return begun === undefined ? (run.result as SkippedResult) : null;
}

function runIdOf(name: string, start: StartOutcome): string {
  switch (start.type) {
    case 'unknown_workflow':
      throw new NotFoundError(`no workflow ${name} is published`);
    case 'archived':
      throw new NotFoundError(`workflow ${name} was archived: no new runs of it begin`);
    case 'unknown_version':
      throw new NotFoundError(`workflow ${name} has no version ${start.version}`);
    case 'submitted':
      break;
  }
  const { outcome } = start;
  switch (outcome.type) {
    case 'accepted':
      return outcome.runId;
    case 'existing':
      return outcome.run.runId;
    case 'invalid':
      throw new ValidationError(
        outcome.issues.map(({ field, message }) => `${field}: ${message}`).join('; '),
        {
          issues: outcome.issues,
        },
      );
    case 'conflict':
      throw new ValidationError(
        `idempotency_key: belongs to run ${outcome.run.runId}, which asked for something else`,
      );
    case 'unknown_handler':
    case 'fenced':
      throw new NotFoundError(`no live worker runs workflow ${name}`);
  }
}
