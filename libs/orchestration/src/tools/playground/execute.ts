/** Carries out what comes next in a playground. */
import { ErrorCategory } from '@spine/core';
import type { StepExecutor } from '../../engine/executor.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { fromRecordedResult, toRecordedResult } from '../record/recorded-result.ts';
import { runInMemory } from '../run/run.ts';
import { after } from './moment.ts';
import type { Moment, Next, Work } from './moment.ts';

export interface PlaygroundOptions {
  readonly executor: StepExecutor;
  /** Asked first, for sub-workflows too: an answer takes the place of the call. */
  readonly answer?: (work: Work) => StepResult | undefined;
  /** Workflows that steps may start; such a step is one step here. */
  readonly workflow?: (name: string) => WorkflowDefinition | undefined;
  /** Default `production`. */
  readonly environment?: string;
}

type WorkNext = Extract<Next, { type: 'work' }>;

/** What a call has come to: JSON, so that it is the same when it is read back. */
export interface Performed {
  readonly result: StepResult;
  /** Time it has let pass, in seconds. */
  readonly slept: number;
}

/** Calls the handler of what has begun. */
export async function perform(
  definition: WorkflowDefinition,
  { moment, work }: WorkNext,
  options: PlaygroundOptions,
): Promise<Performed> {
  let slept = 0;
  const sleep = (seconds: number): void => void (slept += seconds);
  const result =
    options.answer?.(work) ??
    (work.type === 'start_child'
      ? await runChild(work, options)
      : await call(definition, work, moment, options.executor, sleep));
  const kept = toRecordedResult(result);
  return { result: kept === null ? NOT_JSON : fromRecordedResult(kept), slept };
}

const NOT_JSON = StepResult.fail('it answered what is not JSON', {
  category: ErrorCategory.VALIDATION,
  type: 'NotJson',
});

/** Plans on with what a call has come to. Pure. */
export function settle(
  definition: WorkflowDefinition,
  { moment, work }: WorkNext,
  { result, slept }: Performed,
): Moment {
  const { unit, attempt } = work;
  const later = {
    ...moment,
    begun: moment.begun.filter((each) => each !== work),
    now: new Date(moment.now.getTime() + slept * 1_000),
  };
  if (work.type !== 'start_child')
    return after(definition, later, { type: 'step_settled', unit, attempt, result });
  if (!work.wait) return later;
  const settled = { type: 'child_settled' as const, unit, attempt };
  if (result.status === 'fail')
    return after(definition, later, { ...settled, status: 'failed', outputs: {}, error: result.error });
  const outputs = result.status === 'ok' ? result.output : {};
  return after(definition, later, { ...settled, status: 'completed', outputs, error: null });
}

async function call(
  definition: WorkflowDefinition,
  command: Exclude<Work, { type: 'start_child' }>,
  moment: Moment,
  executor: StepExecutor,
  sleep: (seconds: number) => void,
): Promise<StepResult> {
  try {
    return await executor.run(command.call.handler, command.params, {
      command,
      runId: moment.started.runId,
      workflow: definition.name,
      state: moment.state,
      signal: new AbortController().signal,
      sleep: (seconds) => Promise.resolve(sleep(seconds)),
    });
  } catch (error) {
    return StepResult.fail(error instanceof Error ? error : new Error(String(error)));
  }
}

async function runChild(
  work: Extract<Work, { type: 'start_child' }>,
  { executor, workflow, environment }: PlaygroundOptions,
): Promise<StepResult> {
  const definition = workflow?.(work.workflow);
  if (definition === undefined) return StepResult.fail(`no workflow is registered as ${work.workflow}`);
  const child = await runInMemory(definition, {
    executor,
    params: work.params,
    ...(workflow === undefined ? {} : { workflow }),
    ...(environment === undefined ? {} : { environment }),
  });
  return child.status === 'completed'
    ? StepResult.ok(child.outputs)
    : StepResult.fail(
        `${work.workflow}: the child is ${child.status}${child.error === null ? '' : `: ${child.error.message}`}`,
      );
}

/** Lets time pass until the timer. */
export function fire(
  definition: WorkflowDefinition,
  { moment, timer, at }: Extract<Next, { type: 'timer' }>,
): Moment {
  const timers = new Map(moment.timers);
  timers.delete(timer);
  const now = at > moment.now ? at : moment.now;
  return after(definition, { ...moment, timers, now }, { type: 'timer_fired', timer });
}
