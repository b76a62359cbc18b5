/**
 * What the commands of an advance come to, taken together. Pure: a timer that is set and cleared is not set, and what is
 * started and given up at once is started first, so that its run says what became of it.
 */
import { assertNever, toErrorInfo, ValidationError } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { LockedWorkflow, NewApproval, WorkflowWork } from '@spine/database';
import { LIMITS, stepSpec, workflowSpec } from '@spine/execution';
import type { SpecIssue, WorkSpec } from '@spine/execution';
import { priorityOf } from '@spine/core';
import type { Command } from '../engine/command.ts';
import type { WorkflowEvent } from '../engine/event.ts';
import { parseUnit } from '../engine/unit.ts';
import type { Inherited } from './receive.ts';
import { stepHandlerName } from './step-handler.ts';

/** A run that is to be started. */
export interface Start {
  readonly work: WorkflowWork;
  readonly spec: WorkSpec;
  /** Of a workflow. */
  readonly inherited: Inherited | null;
}

export type CompleteCommand = Extract<Command, { type: 'complete' }>;

/** What is to be done, in this order. */
export interface Effects {
  readonly starts: readonly Start[];
  readonly asked: readonly NewApproval[];
  readonly withdrawn: readonly { readonly step: string; readonly attempt: number }[];
  readonly timers: readonly { readonly timer: string; readonly at: Date }[];
  readonly cleared: readonly string[];
  readonly cancelled: readonly Pick<WorkflowWork, 'unit' | 'attempt'>[];
  /** Sub-workflows that are to undo what they have done. */
  readonly givenUp: readonly Pick<WorkflowWork, 'unit' | 'attempt'>[];
  /** Sub-workflows that are to stop undoing. */
  readonly abandoned: readonly Pick<WorkflowWork, 'unit' | 'attempt'>[];
  /** Whether sub-workflows that nobody waits for are to undo what they have done. */
  readonly detachedToo: boolean;
  readonly end: CompleteCommand | null;
}

/** What runs that a workflow starts have from it. */
export type WorkflowFacts = Pick<LockedWorkflow, 'runId' | 'name' | 'run'> & {
  readonly environment: string;
};

/**
 * An attempt is made again by the run engine only when its worker was lost; what its handler throws is told to the planner,
 * which has the policy.
 */
const LOST_WORKERS = 3;

export function effectsOf(commands: readonly Command[], of: WorkflowFacts): Effects {
  const starts: Start[] = [];
  const asked: NewApproval[] = [];
  const withdrawn: { step: string; attempt: number }[] = [];
  const timers = new Map<string, Date | null>();
  const cancelled: Pick<WorkflowWork, 'unit' | 'attempt'>[] = [];
  const givenUp: Pick<WorkflowWork, 'unit' | 'attempt'>[] = [];
  const abandoned: Pick<WorkflowWork, 'unit' | 'attempt'>[] = [];
  let detachedToo = false;
  let end: CompleteCommand | null = null;
  for (const command of commands) {
    switch (command.type) {
      case 'start_step':
      case 'start_item':
      case 'compensate_step':
      case 'run_on_failure':
        starts.push(stepStart(command, of));
        break;
      case 'start_child':
        starts.push(childStart(command, of));
        break;
      case 'cancel_step':
        cancelled.push({ unit: command.unit, attempt: command.attempt });
        break;
      case 'cancel_child':
        (command.undo === 'begin' ? givenUp : abandoned).push({
          unit: command.unit,
          attempt: command.attempt,
        });
        break;
      case 'cancel_detached':
        detachedToo = true;
        break;
      case 'set_timer':
        timers.set(command.timer, command.at);
        break;
      case 'clear_timer':
        timers.set(command.timer, null);
        break;
      case 'ask_approval':
        asked.push(command);
        break;
      case 'withdraw_approval':
        withdrawn.push({ step: command.step, attempt: command.attempt });
        break;
      case 'complete':
        end = command;
        break;
      default:
        assertNever(command);
    }
  }
  return {
    starts,
    asked,
    withdrawn,
    timers: [...timers].flatMap(([timer, at]) => (at === null ? [] : [{ timer, at }])),
    cleared: [...timers].flatMap(([timer, at]) => (at === null ? [timer] : [])),
    cancelled,
    givenUp,
    abandoned,
    detachedToo,
    end,
  };
}

type CallCommand = Extract<
  Command,
  { type: 'start_step' | 'start_item' | 'compensate_step' | 'run_on_failure' }
>;

function stepStart(command: CallCommand, of: WorkflowFacts): Start {
  const { unit, attempt, params, timeoutSeconds } = command;
  return {
    work: { unit, attempt, kind: command.type === 'start_item' ? 'item' : 'step' },
    spec: {
      ...stepSpec(stepHandlerName(command.call), params, childOptions(of, unit, attempt)),
      maxRetries: LOST_WORKERS,
      retry: { strategy: 'none' },
      timeoutSeconds: Math.min(timeoutSeconds ?? LIMITS.timeoutSeconds, LIMITS.timeoutSeconds),
    },
    inherited: null,
  };
}

function childStart(command: Extract<Command, { type: 'start_child' }>, of: WorkflowFacts): Start {
  const { unit, attempt, workflow, params, context, ancestors, wait } = command;
  return {
    work: { unit, attempt, kind: wait ? 'child' : 'detached' },
    spec: workflowSpec(workflow, params, {
      ...childOptions(of, unit, attempt),
      // Nobody else would look at the failure of a child that nobody waits for.
      deadLetter: !wait,
    }),
    inherited: { context, ancestors, environment: of.environment },
  };
}

function childOptions({ runId, name, run }: WorkflowFacts, unit: string, attempt: number) {
  return {
    parentRunId: runId,
    correlationId: run.correlationId ?? runId,
    lane: run.lane,
    priority: priorityOf(run.priority),
    triggerSource: 'workflow',
    metadata: { workflow: name, step: unit, step_attempt: attempt },
    deadLetter: false,
  } as const;
}

/** What the workflow is told of work whose run would be refused. */
export function refusedEvent(
  { unit, attempt, kind }: WorkflowWork,
  issues: readonly SpecIssue[],
): WorkflowEvent {
  const message = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
  return endedEvent(
    { unit, attempt, kind },
    toErrorInfo(new ValidationError(`the run of ${unit} is refused: ${message}`, { issues })),
  );
}

function endedEvent({ unit, attempt, kind }: WorkflowWork, error: ErrorInfo): WorkflowEvent {
  if (kind === 'child') {
    return { type: 'child_settled', unit, attempt, status: 'failed', outputs: {}, error };
  }
  return settledEvent({ unit, attempt }, { status: 'fail', error });
}

/** The end of a step's or an item's attempt. */
export function settledEvent(
  { unit, attempt }: Pick<WorkflowWork, 'unit' | 'attempt'>,
  result: Extract<WorkflowEvent, { type: 'step_settled' }>['result'],
): WorkflowEvent {
  const parsed = parseUnit(unit);
  return parsed?.type === 'item'
    ? { type: 'map_item_settled', step: parsed.step, index: parsed.index, attempt, result }
    : { type: 'step_settled', unit, attempt, result };
}
