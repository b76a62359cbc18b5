/** Carries out what comes next in a playground. */
import type { StepExecutor } from '../../engine/executor.ts';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { runInMemory } from '../run/run.ts';
import { after } from './moment.ts';
import type { Moment, Next, Work } from './moment.ts';

export interface PlaygroundOptions {
  readonly executor: StepExecutor;
  /** Workflows that steps may start; such a step is one step here. */
  readonly workflow?: (name: string) => WorkflowDefinition | undefined;
  /** Default `production`. */
  readonly environment?: string;
}

/** Calls the handler of what has begun, and plans on with its answer. */
export async function carryOut(
  definition: WorkflowDefinition,
  { moment, work }: Extract<Next, { type: 'work' }>,
  options: PlaygroundOptions,
): Promise<{ readonly moment: Moment; readonly result: StepResult }> {
  const rest = { ...moment, begun: moment.begun.filter((each) => each !== work) };
  const { unit, attempt } = work;
  if (work.type === 'start_child') {
    const result = await runChild(work, options);
    if (!work.wait) return { moment: rest, result };
    const settled = { type: 'child_settled' as const, unit, attempt };
    return {
      result,
      moment: after(
        definition,
        rest,
        result.status === 'ok'
          ? { ...settled, status: 'completed', outputs: result.output, error: null }
          : {
              ...settled,
              status: 'failed',
              outputs: {},
              error: result.status === 'fail' ? result.error : null,
            },
      ),
    };
  }
  let slept = 0;
  const result = await call(definition, work, moment, options.executor, (seconds) => {
    slept += seconds;
  });
  const later = { ...rest, now: new Date(rest.now.getTime() + slept * 1_000) };
  return { result, moment: after(definition, later, { type: 'step_settled', unit, attempt, result }) };
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
