/**
 * The workflows and functions that a process knows, and how they become handlers of its runs.
 *
 * 1. What is missing or wrong is found when the process starts, never by a run. 2. Every operation and every function is
 * known as a step as well: a run that changes its own plan may name any of them. 3. A step's run is told apart from the
 * operation's own by its kind; its gates are the same ones. 4. Workflows that others have published run here as well, whether
 * or not this process has heard of them.
 */
import { z } from 'zod';
import { ConfigError } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import { isPublishedWorkflow } from '@spine/database';
import { HandOver, Published } from '@spine/execution';
import type { Handler, HandlerContext, HandlerFunction, HandlerRegistry } from '@spine/execution';
import { defineWorkflow } from '../workflow/define.ts';
import { WORKFLOW_LIMITS } from '../workflow/model.ts';
import type { Call, WorkflowDefinition, WorkflowInput } from '../workflow/model.ts';
import type { StepResult } from '../workflow/step-result.ts';
import { beginningOf } from './beginning.ts';
import { DefinitionVersions } from './definitions.ts';
import { receiveWorkflow } from './receive.ts';
import { LAMBDA } from './step-handler.ts';
import { encodeStepValue } from './step-outcome.ts';

export { stepHandlerName } from './step-handler.ts';

/** A function that workflows call by its name. What it returns is read as `StepResult.fromValue` does. */
export type WorkflowFunction = (params: JsonObject, ctx: HandlerContext) => unknown;

const anyParams = z.record(z.string(), z.json());

export interface WorkflowRegistryOptions {
  /** What `auto_approve` of approvals is compared with. Default `production`. */
  readonly environment?: string;
}

export class WorkflowRegistry {
  readonly environment: string;
  readonly #functions = new Map<
    string,
    { readonly code: WorkflowFunction; readonly tags: readonly string[] }
  >();
  readonly #inputs = new Map<string, WorkflowInput>();
  readonly #definitions = new Map<string, WorkflowDefinition>();
  readonly #versions = new DefinitionVersions();

  constructor({ environment = 'production' }: WorkflowRegistryOptions = {}) {
    this.environment = environment;
  }

  /**
   * @param options.tags of the function's step; with `PLAYGROUND_TAG` it may be called outside of a worker.
   * @throws ConfigError for a name out of form, or one that is taken.
   */
  registerFunction(
    name: string,
    code: WorkflowFunction,
    { tags = [] }: { readonly tags?: readonly string[] } = {},
  ): this {
    if (!WORKFLOW_LIMITS.name.test(name) || name.length > 200 - LAMBDA.length) {
      throw new ConfigError(
        `function name ${JSON.stringify(name)} must match ${WORKFLOW_LIMITS.name.source}`,
      );
    }
    if (this.#functions.has(name)) throw new ConfigError(`function ${name} is registered twice`);
    this.#functions.set(name, { code, tags });
    return this;
  }

  /** @throws ConfigError for a name that is taken. What is wrong with the definition is found by {@link registerHandlers}. */
  registerWorkflow(input: WorkflowInput): this {
    if (this.#inputs.has(input.name)) throw new ConfigError(`workflow ${input.name} is registered twice`);
    this.#inputs.set(input.name, input);
    return this;
  }

  /** Checked definitions, by name; none before {@link registerHandlers}. */
  get definitions(): ReadonlyMap<string, WorkflowDefinition> {
    return this.#definitions;
  }

  /**
   * Checks every workflow and registers what workers need to run them. Called once, when every operation is registered.
   * @throws ValidationError for a workflow that cannot run: see `defineWorkflow`.
   */
  registerHandlers(handlers: HandlerRegistry): HandlerRegistry {
    const operations = handlers.handlers().filter(({ kind }) => kind === 'operation');
    const hasHandler = (kind: Call['kind'], name: string): boolean =>
      kind === 'lambda' ? this.#functions.has(name) : handlers.get('operation', name) !== undefined;
    const lookups = { hasHandler, workflow: (name: string) => this.#inputs.get(name) };
    for (const input of this.#inputs.values()) {
      this.#definitions.set(input.name, defineWorkflow(input, lookups));
    }
    for (const operation of operations) {
      handlers.registerAs('step', operation.name, { ...operation, retry: null }, stepCode(operation));
    }
    for (const [name, { code, tags }] of this.#functions) {
      handlers.register(
        'step',
        `${LAMBDA}${name}`,
        { description: `The function ${name} as a step of a workflow.`, params: anyParams, tags },
        async (params, ctx) => encoded(await code(params, ctx)),
      );
    }
    for (const definition of this.#definitions.values()) {
      handlers.register(
        'workflow',
        definition.name,
        {
          description: definition.description ?? `The workflow ${definition.name}.`,
          params: anyParams,
          tags: definition.tags ?? [],
        },
        this.#handOver(handlers, definition),
      );
    }
    handlers.registerKind(
      'workflow',
      {
        description: 'A workflow that was published, by the version its run is pinned to.',
        params: anyParams,
        isKnown: isPublishedWorkflow,
      },
      this.#handOver(handlers, null),
    );
    return handlers;
  }

  /** @param code null for names that are known from the database alone. */
  #handOver(handlers: HandlerRegistry, code: WorkflowDefinition | null): HandlerFunction<typeof anyParams> {
    const receiver = { definitions: this.#versions, handlers, environment: this.environment };
    return (params, { run }) =>
      new HandOver(
        (trx, epoch) => receiveWorkflow(trx, receiver, code, { ...run, epoch, params }),
        beginningOf(receiver, { ...run, params }),
      );
  }
}

/** The operation, with what it returns as the result of a step. */
function stepCode(operation: Handler): Handler['invoke'] {
  return async (params, ctx) => encoded(await operation.invoke(params, ctx));
}

/** What has completed its run already, or is no JSON, is the executor's to judge. */
function encoded(value: unknown): unknown {
  if (Published.is(value) || HandOver.is(value)) return value;
  return encodeStepValue(value as JsonValue | StepResult | undefined);
}
