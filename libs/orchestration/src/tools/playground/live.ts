/**
 * Calls handlers in the process of a playground: only those registered with the tag {@link PLAYGROUND_TAG}, because they
 * neither write nor ask anything outside. No other can be reached, by whatever name: they are not in its registry.
 */
import { assertNever, ErrorCategory } from '@spine/core';
import type { JsonObject, ValidationIssue } from '@spine/core';
import { HandlerRegistry, LocalExecutor } from '@spine/execution';
import type { ExecutionOutcome } from '@spine/execution';
import { errorInfoOf, stepResultOf } from '../../durable/step-outcome.ts';
import { stepHandlerName } from '../../durable/step-handler.ts';
import type { Attempt, StepExecutor } from '../../engine/executor.ts';
import { callsIn } from '../../workflow/check.ts';
import type { Call, WorkflowDefinition } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { isAnswered } from './answers.ts';
import type { PlaygroundAnswers } from './answers.ts';

/** Of handlers that may be called outside of a worker. */
export const PLAYGROUND_TAG = 'playground';

/** Of one call, whatever its step allows. */
const CALL_SECONDS = 10;
/** Calls of all sessions of a process at the same time. */
const CONCURRENCY = 4;

type Callee = Pick<Call, 'kind' | 'handler'>;

export class PlaygroundHandlers implements StepExecutor {
  readonly #safe = new HandlerRegistry();
  readonly #executor: LocalExecutor;

  /** @param registry with the steps of operations and functions, as `WorkflowRegistry.registerHandlers` leaves it. */
  constructor(registry: HandlerRegistry) {
    for (const handler of registry.handlers()) {
      const callable = handler.kind === 'step' && handler.isolated === null;
      if (callable && handler.tags.includes(PLAYGROUND_TAG))
        this.#safe.registerAs('step', handler.name, { ...handler, gates: null });
    }
    this.#executor = new LocalExecutor({ registry: this.#safe, concurrency: CONCURRENCY, keep: CONCURRENCY });
  }

  has(call: Callee): boolean {
    return this.#safe.get('step', stepHandlerName(call)) !== undefined;
  }

  /** What of a workflow could not be called, and has no answer. */
  findUnsafe(definition: WorkflowDefinition, answers: PlaygroundAnswers): readonly ValidationIssue[] {
    const calls = callsIn(definition).map(({ field, unit, call }) => ({
      field,
      unit,
      refused: this.has(call) ? null : reason(call),
    }));
    const children = definition.steps.flatMap(({ name, kind }, index) =>
      kind === 'workflow'
        ? [{ field: `steps[${index}].workflow`, unit: name, refused: 'a sub-workflow is not run' }]
        : [],
    );
    return [...calls, ...children].flatMap(({ field, unit, refused }) =>
      refused === null || isAnswered(answers, unit)
        ? []
        : [
            {
              field: `definition.${field}`,
              code: 'not_safe',
              message: `${refused}; give an answer for ${unit}, or use another mode`,
            },
          ],
    );
  }

  async run(handler: string, params: JsonObject, { command, signal }: Attempt): Promise<StepResult> {
    const { call, timeoutSeconds } = command;
    if (!this.has(call))
      return StepResult.fail(reason({ ...call, handler }), {
        category: ErrorCategory.ORCHESTRATION,
        type: 'NotSafeForPlayground',
      });
    const submission = await this.#executor.submit({
      kind: 'step',
      name: stepHandlerName(call),
      params,
      maxRetries: 0,
      timeoutSeconds: Math.min(timeoutSeconds ?? CALL_SECONDS, CALL_SECONDS),
    });
    switch (submission.type) {
      case 'accepted':
        return outcomeOf(await this.#executor.wait(submission.ref, { timeoutMs: Infinity, signal }));
      case 'invalid': {
        const said = submission.issues.map(({ field, message }) => `${field}: ${message}`).join('; ');
        return StepResult.fail(said, { category: ErrorCategory.VALIDATION });
      }
      case 'existing':
      case 'conflict':
      case 'unknown_handler':
      case 'rejected':
        return StepResult.fail(`${handler} could not be called: ${submission.type}`, {
          category: ErrorCategory.RESOURCE,
        });
      default:
        return assertNever(submission);
    }
  }
}

function reason({ kind, handler }: Callee): string {
  return `${kind} ${handler} is not registered as safe for the playground (tag ${PLAYGROUND_TAG})`;
}

function outcomeOf(outcome: ExecutionOutcome): StepResult {
  switch (outcome.type) {
    case 'completed':
      return stepResultOf({ status: 'completed', result: outcome.result, error: null });
    case 'failed':
    case 'timed_out':
    case 'cancelled':
      return { status: 'fail', error: errorInfoOf(outcome.error) };
    case 'unfinished':
    case 'not_found':
      return StepResult.fail(`the call is ${outcome.type}`);
    default:
      return assertNever(outcome);
  }
}
