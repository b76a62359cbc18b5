/**
 * A workflow together with the functions it calls, run durably: through Postgres, by a worker and a driver embedded in this
 * process.
 *
 * 1. Nothing is opened before the first run or look. 2. The worker serves a lane of its own, so that it takes no run of a
 * deployment over the same database, and none takes its runs; processes with the same workflow share the lane, and go on
 * with each other's runs. 3. A run is pinned to the definition of the process that starts it. 4. A run whose process dies goes
 * on when a process with the workflow is there again.
 */
import { isTerminal } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { listRuns, VERSION_METADATA } from '@spine/database';
import type { RunRecord } from '@spine/database';
import { workflowSpec } from '@spine/execution';
import type { WorkflowRunResult } from '../tools/run/run.ts';
import type { AdaptedFunction } from '../tools/run/handlers.ts';
import { visualizeAscii } from '../tools/visualize/ascii.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import { DefinitionVersions } from './definitions.ts';
import { openManaged } from './managed-host.ts';
import type { ManagedHost, ManagedHostOptions } from './managed-host.ts';
import { look } from './inspect-look.ts';
import { drawRun } from './inspect-picture.ts';
import { replayHistory } from './replay.ts';

export interface DurableRunOptions {
  /** How long to wait for the end; the run itself goes on. Default: as long as it takes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Two runs with one key are one run. */
  readonly idempotencyKey?: string;
}

/** A past run, as its row has it. */
export interface DurableRun {
  readonly runId: string;
  readonly status: RunRecord['status'];
  readonly params: JsonObject;
  /** Null unless it has completed. */
  readonly outputs: JsonObject | null;
  readonly error: RunRecord['error'];
  /** When it was submitted. */
  readonly begunAt: Date;
  /** Null while it goes on. */
  readonly elapsedMs: number | null;
}

export interface HistoryRequest {
  /** Default 100, at most 1,000. */
  readonly limit?: number;
  /** Only runs older than this one. */
  readonly before?: string;
}

/** Has the surface of `ManagedWorkflow`, with what comes out of a database as promises. */
export class DurableWorkflow {
  readonly definition: WorkflowDefinition;
  /** By name, as its lambdas call them. */
  readonly functions: ReadonlyMap<string, AdaptedFunction>;
  readonly #options: ManagedHostOptions;
  readonly #definitions = new DefinitionVersions();
  #host: Promise<ManagedHost> | null = null;

  constructor(
    definition: WorkflowDefinition,
    functions: ReadonlyMap<string, AdaptedFunction>,
    options: ManagedHostOptions,
  ) {
    this.definition = definition;
    this.functions = functions;
    this.#options = options;
  }

  /** Runs to the end. A failure is in the result; `waiting` where it had not ended in time. */
  async run(params: JsonObject = {}, options: DurableRunOptions = {}): Promise<WorkflowRunResult> {
    const { timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
    const { dispatcher } = (await this.#open()).engine;
    const runId = await this.start(params, options);
    const waiting = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
    return this.#resultOf(await dispatcher.wait(runId, waiting));
  }

  /** Submits a run and does not wait; answers with its id. */
  async start(
    params: JsonObject = {},
    { idempotencyKey }: Pick<DurableRunOptions, 'idempotencyKey'> = {},
  ): Promise<string> {
    const host = await this.#open();
    return host.submit(
      workflowSpec(this.definition.name, params, {
        lane: host.lane,
        metadata: { [VERSION_METADATA]: host.version },
        triggerSource: 'managed',
        deadLetter: false,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      }),
    );
  }

  /** Its runs in this database, newest first, whichever process has started them. */
  async history({ limit = 100, before }: HistoryRequest = {}): Promise<readonly DurableRun[]> {
    const { engine } = await this.#open();
    const { runs } = await listRuns(
      engine.db,
      { kind: 'workflow', name: this.definition.name },
      {
        limit: Math.min(Math.max(1, limit), 1_000),
        offset: 0,
        ...(before === undefined ? {} : { beforeRunId: before }),
      },
    );
    return Promise.all(runs.map(async (run) => durableRun(await engine.payloads.load(run))));
  }

  /** The workflow as text, with the steps' states of the last run and a line about it. */
  async show(): Promise<string> {
    const [last] = await this.history({ limit: 1 });
    if (last === undefined) return visualizeAscii(this.definition);
    const services = await this.#services();
    const drawn = await look(services, last.runId, (_trx, snapshot) =>
      Promise.resolve(drawRun(snapshot, 'ascii')),
    );
    const picture = drawn.type === 'found' ? drawn.view : visualizeAscii(this.definition);
    const time = last.elapsedMs === null ? '' : ` in ${last.elapsedMs} ms`;
    const failure = last.error === null ? '' : `: ${last.error.message}`;
    return `${picture}${this.definition.name} - ${last.runId} - ${last.status}${time}${failure}\n`;
  }

  /** Ends the embedded worker: what it has under way is handed back, and goes on elsewhere or later. */
  async close(): Promise<void> {
    const host = this.#host;
    this.#host = null;
    await (await host)?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): Promise<ManagedHost> {
    this.#host ??= openManaged(this.definition, this.functions, this.#options).catch((error: unknown) => {
      // The next call tries again.
      this.#host = null;
      throw error;
    });
    return this.#host;
  }

  async #services() {
    return { db: (await this.#open()).engine.db, definitions: this.#definitions };
  }

  /** As its history tells it; as its row does where that tells less, such as of a run that was cancelled. */
  async #resultOf(run: RunRecord): Promise<WorkflowRunResult> {
    const outcome = await replayHistory(await this.#services(), run.runId);
    if (outcome.type === 'replayed') {
      const { result } = outcome.replayed;
      const tells = result.status !== 'waiting' && result.status !== 'continued';
      return tells ? result : { ...result, status: statusOf(run) };
    }
    const { begunAt, elapsedMs, outputs } = durableRun(run);
    return {
      runId: run.runId,
      workflow: this.definition.name,
      status: statusOf(run),
      params: run.params as JsonObject,
      outputs: outputs ?? {},
      context: {},
      failedStep: null,
      error: null,
      steps: [],
      startedAt: begunAt,
      endedAt: new Date(begunAt.getTime() + (elapsedMs ?? 0)),
      trace: [],
    };
  }
}

function durableRun(run: RunRecord): DurableRun {
  const { runId, status, error, createdAt, completedAt } = run;
  return {
    runId,
    status,
    params: run.params as JsonObject,
    outputs: status === 'completed' ? (run.result as JsonObject) : null,
    error,
    begunAt: createdAt,
    elapsedMs: completedAt === null ? null : completedAt.getTime() - createdAt.getTime(),
  };
}

function statusOf({ status }: Pick<RunRecord, 'status'>): WorkflowRunResult['status'] {
  if (!isTerminal(status)) return 'waiting';
  return status === 'completed' || status === 'cancelled' || status === 'timed_out' ? status : 'failed';
}
