/** A whole run in this process, and what came of it. */
import type { ErrorInfo, JsonObject } from '@spine/core';
import { InMemoryWorkflows } from '../../engine/in-memory.ts';
import type { InMemoryOptions, TraceEntry } from '../../engine/in-memory.ts';
import type { Command } from '../../engine/command.ts';
import type { RunOutcome, StepStatus, WorkflowState } from '../../engine/state.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';

export interface StepRun {
  readonly name: string;
  readonly status: StepStatus;
  /** How often it has started; 0 for a step that never did. */
  readonly attempts: number;
  /** Null unless it has completed. */
  readonly output: JsonObject | null;
  readonly error: ErrorInfo | null;
  /** Why it was skipped. */
  readonly reason: string | null;
  /** The step it has chosen to go on with. */
  readonly chosen: string | null;
}

export interface WorkflowRunResult {
  readonly runId: string;
  readonly workflow: string;
  /** `waiting`: for somebody's decision, for a signal, or to be resumed. */
  readonly status: RunOutcome['status'] | 'waiting';
  readonly params: JsonObject;
  readonly outputs: JsonObject;
  readonly context: JsonObject;
  /** Whose failure ended the run. */
  readonly failedStep: string | null;
  readonly error: ErrorInfo | null;
  /** In the order of the definition, steps that the run has added last. */
  readonly steps: readonly StepRun[];
  /** Of the virtual clock. */
  readonly startedAt: Date;
  readonly endedAt: Date;
  /** Every event of this run and of its children, with what was planned for it. */
  readonly trace: readonly TraceEntry[];
}

export interface RunOptions extends InMemoryOptions {
  readonly params?: JsonObject;
  /** e.g. `dev`; default `production`. */
  readonly environment?: string;
  readonly runId?: string;
  /** Sent at the beginning, in order. */
  readonly signals?: readonly { readonly name: string; readonly data: JsonObject }[];
}

/** Runs a workflow to its end, or until it waits for somebody. Virtual time passes: a week of waits takes no time. */
export async function runInMemory(
  definition: WorkflowDefinition,
  options: RunOptions,
): Promise<WorkflowRunResult> {
  const { params = {}, environment, runId, signals = [], ...rest } = options;
  const workflows = new InMemoryWorkflows(rest);
  const startedAt = workflows.time.clock.now();
  const id = workflows.start(definition, params, {
    ...(environment === undefined ? {} : { environment }),
    ...(runId === undefined ? {} : { runId }),
  });
  for (const { name, data } of signals) workflows.send(id, { type: 'signal', name, data });
  await workflows.settle();
  return resultOf(definition, workflows, id, startedAt);
}

/** What has come of a run so far. */
export function resultOf(
  definition: WorkflowDefinition,
  workflows: InMemoryWorkflows,
  runId: string,
  startedAt: Date,
): WorkflowRunResult {
  const result = runResultOf(definition, {
    runId,
    state: workflows.state(runId),
    trace: workflows.trace,
  });
  return { ...result, startedAt };
}

/**
 * What has come of a run, told by its state and its trace, which holds its children's events too.
 * @param of.runId as in the trace.
 */
export function runResultOf(
  definition: WorkflowDefinition,
  of: { readonly runId: string; readonly state: WorkflowState; readonly trace: readonly TraceEntry[] },
): WorkflowRunResult {
  const { runId, trace } = of;
  const { head, steps } = of.state;
  const own = trace.filter((entry) => entry.runId === runId);
  const completion = completionIn(own);
  const names = new Set([
    ...definition.steps.map(({ name }) => name),
    ...steps.entries().map(([name]) => name),
  ]);
  const startedAt = own[0]?.at ?? new Date(0);
  return {
    runId,
    workflow: definition.name,
    status: completion?.status ?? 'waiting',
    params: head.params,
    outputs: completion?.outputs ?? {},
    context: head.context,
    failedStep: completion?.step ?? null,
    error: completion?.error ?? null,
    steps: [...names].map((name): StepRun => {
      const state = steps.get(name);
      return {
        name,
        status: state?.status ?? 'pending',
        attempts: state?.attempt ?? 0,
        output: state?.output ?? null,
        error: state?.error ?? null,
        reason: state?.reason ?? null,
        chosen: state?.chosen ?? null,
      };
    }),
    startedAt,
    endedAt: own.at(-1)?.at ?? startedAt,
    trace,
  };
}

/** A run that went on as a new one has not ended by that. */
function completionIn(own: readonly TraceEntry[]): Extract<Command, { type: 'complete' }> | null {
  for (const { commands } of own.toReversed()) {
    const end = commands.find((command) => command.type === 'complete');
    if (end?.type === 'complete') return end.status === 'continued' ? null : end;
  }
  return null;
}
