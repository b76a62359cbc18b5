/** A whole run in this process, and what came of it. */
import type { ErrorInfo, JsonObject } from '@spine/core';
import { InMemoryWorkflows } from '../../engine/in-memory.ts';
import type { InMemoryOptions, TraceEntry } from '../../engine/in-memory.ts';
import type { Command } from '../../engine/command.ts';
import type { RunOutcome, StepStatus, WorkflowState } from '../../engine/state.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import type { QualityMetrics } from '../../workflow/quality-metrics.ts';
import type { Beginning } from '../record/beginning.ts';

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
  /** What its last answer has said about the data. */
  readonly quality: QualityMetrics | null;
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
  /** What it begins with besides its params. Default: nothing. */
  readonly beginning?: Beginning;
  /** Ends where it would go on as a new run, with the status `continued`. Default false: it goes on. */
  readonly oneChapter?: boolean;
  /** Sent at the beginning, in order. */
  readonly signals?: readonly { readonly name: string; readonly data: JsonObject }[];
}

/** Runs a workflow to its end, or until it waits for somebody. Virtual time passes: a week of waits takes no time. */
export async function runInMemory(
  definition: WorkflowDefinition,
  options: RunOptions,
): Promise<WorkflowRunResult> {
  const { params = {}, environment, runId, beginning, oneChapter = false, signals = [], ...rest } = options;
  const workflows = new InMemoryWorkflows(rest);
  const startedAt = workflows.time.clock.now();
  const id = workflows.start(
    definition,
    params,
    {
      ...beginning?.started,
      ...(environment === undefined ? {} : { environment }),
      ...(runId === undefined ? {} : { runId }),
    },
    { oneChapter, takenOver: beginning?.takenOver ?? [] },
  );
  for (const { name, data } of signals) workflows.send(id, { type: 'signal', name, data });
  await workflows.settle();
  return resultOf(definition, workflows, id, startedAt, oneChapter);
}

/** What has come of a run so far. */
export function resultOf(
  definition: WorkflowDefinition,
  workflows: InMemoryWorkflows,
  runId: string,
  startedAt: Date,
  oneChapter = false,
): WorkflowRunResult {
  const result = runResultOf(definition, {
    runId,
    state: workflows.state(runId),
    trace: workflows.trace,
    oneChapter,
  });
  return { ...result, startedAt };
}

/**
 * What has come of a run, told by its state and its trace, which holds its children's events too.
 * @param of.runId as in the trace. @param of.oneChapter whether a run that goes on as a new one has ended by that.
 */
export function runResultOf(
  definition: WorkflowDefinition,
  of: {
    readonly runId: string;
    readonly state: WorkflowState;
    readonly trace: readonly TraceEntry[];
    readonly oneChapter?: boolean;
  },
): WorkflowRunResult {
  const { runId, trace, oneChapter = false } = of;
  const { head, steps } = of.state;
  const own = trace.filter((entry) => entry.runId === runId);
  const completion = completionIn(own, oneChapter);
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
        quality: state?.quality ?? null,
        chosen: state?.chosen ?? null,
      };
    }),
    startedAt,
    endedAt: own.at(-1)?.at ?? startedAt,
    trace,
  };
}

/** A run that goes on as a new one has not ended by that, unless its one chapter is all that is asked for. */
function completionIn(
  own: readonly TraceEntry[],
  oneChapter: boolean,
): Extract<Command, { type: 'complete' }> | null {
  for (const { commands } of own.toReversed()) {
    const end = commands.find((command) => command.type === 'complete');
    if (end?.type === 'complete') return end.status === 'continued' && !oneChapter ? null : end;
  }
  return null;
}
