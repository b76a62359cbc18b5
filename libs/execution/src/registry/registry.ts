/**
 * The handlers a process knows.
 *
 * 1. A key (`kind:name`) is registered once. 2. Params are validated by the handler's schema before it is called, at
 * submit where the handler is known there, and always at execution. 3. Every schema has a JSON Schema, checked when
 * the registry is sealed: an undocumentable handler fails the start, not a job.
 */
import { z } from 'zod';
import { ConfigError, handlerKey, toErrorInfo } from '@spine/core';
import type { IdempotencyLevel, RunKind } from '@spine/core';
import { handlerGates } from '../gates/handler-gates.ts';
import type { HandlerGateOptions, HandlerGates } from '../gates/handler-gates.ts';
import { checkRetryPolicy } from '../policy/retry-policy.ts';
import type { RetryPolicy } from '../policy/retry-policy.ts';
import { LIMITS } from '../spec/limits.ts';
import type { SpecIssue } from '../spec/new-run.ts';
import type { HandlerContext } from '../worker/context.ts';

export interface HandlerOptions<S extends z.ZodType> extends HandlerGateOptions {
  /** Validates and types the params. */
  readonly params: S;
  /** One sentence for GET /functions. */
  readonly description: string;
  readonly tags?: readonly string[];
  /** What a second run over the same input does to the rows it writes. Default: null, it writes none or does not say. */
  readonly idempotency?: IdempotencyLevel;
  /** For runs whose spec has none of its own. Default: exponential waits from the spec's `retry_delay_seconds`. */
  readonly retry?: RetryPolicy;
}

export type HandlerFunction<S extends z.ZodType> = (params: z.output<S>, ctx: HandlerContext) => unknown;

/**
 * A handler that runs in a thread of its own: a function exported by a module, called with the params and an
 * {@link IsolatedContext}. The module lies under the root of the executor's thread pool; a run never names it.
 */
export interface IsolatedModule {
  /** A `file:` URL, or a path relative to that root. */
  readonly module: URL | string;
  /** The name of the exported function. */
  readonly export: string;
}

export type ParsedParams =
  | { readonly ok: true; readonly params: unknown }
  | { readonly ok: false; readonly issues: readonly SpecIssue[] };

export interface Handler {
  readonly key: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly idempotency: IdempotencyLevel | null;
  readonly paramsSchema: z.ZodType;
  readonly retry: RetryPolicy | null;
  /** What has to be free before its runs start; null for nothing. */
  readonly gates: HandlerGates | null;
  /** Null for a handler that runs in the process that calls it. */
  readonly isolated: IsolatedModule | null;
  parse(params: unknown): ParsedParams;
  /** @throws ConfigError for an isolated handler: a thread pool calls those. */
  invoke(params: unknown, ctx: HandlerContext): unknown;
}

/** What GET /functions says of a handler. */
export interface HandlerDescription {
  readonly kind: RunKind;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly idempotency: IdempotencyLevel | null;
  /** JSON Schema (draft 2020-12) of the params. */
  readonly paramsSchema: Readonly<Record<string, unknown>>;
}

function pathOf(segments: readonly PropertyKey[]): string {
  return segments.reduce<string>(
    (path, segment) => (typeof segment === 'number' ? `${path}[${segment}]` : `${path}.${String(segment)}`),
    'params',
  );
}

/** zod's issues with paths under `params`; unrecognized keys are named one by one. */
export function paramIssues(error: z.ZodError): SpecIssue[] {
  return error.issues.flatMap((issue): SpecIssue[] => {
    const path = pathOf(issue.path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: `${path}.${key}`,
        code: 'unknown_field',
        message: 'is not a parameter of this handler',
      }));
    }
    return [{ field: path, code: issue.code, message: issue.message }];
  });
}

function parseWith(schema: z.ZodType, params: unknown): ParsedParams {
  try {
    const parsed = schema.safeParse(params);
    return parsed.success
      ? { ok: true, params: parsed.data }
      : { ok: false, issues: paramIssues(parsed.error) };
  } catch (error) {
    // safeParse lets through what a transform or a refinement throws. An attempt that cannot end would be taken for
    // a crashed worker.
    const { message } = toErrorInfo(error);
    return {
      ok: false,
      issues: [
        { field: 'params', code: 'schema_failed', message: `the handler's schema failed: ${message}` },
      ],
    };
  }
}

export class HandlerRegistry {
  readonly #handlers = new Map<string, Handler>();

  /**
   * Registers a handler of any kind.
   * @throws ConfigError for a name out of form or a key that is taken; ValidationError for a retry policy out of range.
   */
  register<S extends z.ZodType>(
    kind: RunKind,
    name: string,
    options: HandlerOptions<S>,
    code: HandlerFunction<S> | IsolatedModule,
  ): this {
    const key = handlerKey(kind, name);
    if (options.retry !== undefined) checkRetryPolicy(options.retry);
    this.#add({
      key,
      kind,
      name,
      description: options.description,
      tags: options.tags ?? [],
      idempotency: options.idempotency ?? null,
      paramsSchema: options.params,
      retry: options.retry ?? null,
      gates: handlerGates(key, options),
      parse: (params) => parseWith(options.params, params),
      isolated: typeof code === 'function' ? null : code,
      invoke: (params, ctx) => {
        if (typeof code === 'function') return code(params as z.output<S>, ctx);
        throw new ConfigError(`handler ${key} runs in a thread, and this executor has no thread pool`);
      },
    });
    return this;
  }

  /**
   * Registers a handler under another key as well: the same params, gates and code, or code of its own.
   * @throws ConfigError for a name out of form or a key that is taken.
   */
  registerAs(
    kind: RunKind,
    name: string,
    handler: Handler,
    invoke: Handler['invoke'] = handler.invoke,
  ): this {
    this.#add({ ...handler, key: handlerKey(kind, name), kind, name, invoke });
    return this;
  }

  registerTask<S extends z.ZodType>(
    name: string,
    options: HandlerOptions<S>,
    code: HandlerFunction<S> | IsolatedModule,
  ): this {
    return this.register('task', name, options, code);
  }

  registerOperation<S extends z.ZodType>(
    name: string,
    options: HandlerOptions<S>,
    code: HandlerFunction<S> | IsolatedModule,
  ): this {
    return this.register('operation', name, options, code);
  }

  #add(handler: Handler): void {
    const { key, name } = handler;
    if (!LIMITS.name.test(name)) {
      throw new ConfigError(`handler name ${JSON.stringify(name)} must match ${LIMITS.name.source}`);
    }
    if (this.#handlers.has(key)) throw new ConfigError(`handler ${key} is registered twice`);
    this.#handlers.set(key, handler);
  }

  get(kind: RunKind, name: string): Handler | undefined {
    return this.#handlers.get(handlerKey(kind, name));
  }

  /** Every handler, in the order of registration. */
  handlers(): Handler[] {
    return [...this.#handlers.values()];
  }

  /** All keys, sorted. */
  keys(): string[] {
    return [...this.#handlers.keys()].sort();
  }

  /** Keys of the handlers that have gates of their own, sorted. */
  gatedKeys(): string[] {
    return this.keys().filter((key) => this.#handlers.get(key)?.gates !== null);
  }

  /** Keys of the others, sorted. */
  ungatedKeys(): string[] {
    return this.keys().filter((key) => this.#handlers.get(key)?.gates === null);
  }

  describe(kind: RunKind, name: string): HandlerDescription | undefined {
    const handler = this.get(kind, name);
    return handler === undefined ? undefined : describeHandler(handler);
  }

  describeAll(): HandlerDescription[] {
    return [...this.#handlers.values()]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map((handler) => describeHandler(handler));
  }

  /**
   * Checked at boot: something is registered, and everything registered can be documented.
   * @throws ConfigError naming the handler.
   */
  check(): this {
    if (this.#handlers.size === 0) throw new ConfigError('no handler is registered');
    for (const handler of this.#handlers.values()) describeHandler(handler);
    return this;
  }
}

function describeHandler(handler: Handler): HandlerDescription {
  try {
    return {
      kind: handler.kind,
      name: handler.name,
      description: handler.description,
      tags: handler.tags,
      idempotency: handler.idempotency,
      paramsSchema: z.toJSONSchema(handler.paramsSchema, { io: 'input' }),
    };
  } catch (error) {
    throw new ConfigError(`handler ${handler.key}: its params have no JSON Schema`, { cause: error });
  }
}
