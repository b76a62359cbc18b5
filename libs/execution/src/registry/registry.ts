/**
 * The handlers a process knows.
 *
 * 1. A key (`kind:name`) is registered once. 2. Params are validated by the handler's schema before it is called, at
 * submit where the handler is known there, and always at execution. 3. Every schema has a JSON Schema, checked when
 * the registry is sealed: an undocumentable handler fails the start, not a job. 4. A kind served whole has no handler with
 * gates: a claim of the kind does not ask which handler a run has, and would pass them by.
 */
import { z } from 'zod';
import { ConfigError, handlerKey } from '@spine/core';
import type { IdempotencyLevel, RunKind } from '@spine/core';
import { ANY_NAME } from '@spine/database';
import type { Queryable } from '@spine/database';
import { handlerGates } from '../gates/handler-gates.ts';
import type { HandlerGateOptions, HandlerGates } from '../gates/handler-gates.ts';
import { checkRetryPolicy } from '../policy/retry-policy.ts';
import type { RetryPolicy } from '../policy/retry-policy.ts';
import { LIMITS } from '../spec/limits.ts';
import type { HandlerContext } from '../worker/context.ts';
import { parseParams } from './parse-params.ts';
import type { ParsedParams } from './parse-params.ts';

export { paramIssues } from './parse-params.ts';
export type { ParsedParams } from './parse-params.ts';

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

/** A handler for every name of a kind that has none of its own. */
export interface KindHandler {
  /** Its key is `kind:*`, its name `*`; a run's own name is in `ctx.run`. */
  readonly handler: Handler;
  /** Whether new runs of that name can begin. */
  readonly isKnown: (db: Queryable, name: string) => Promise<boolean>;
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

export class HandlerRegistry {
  readonly #handlers = new Map<string, Handler>();
  /** The same by kind and name: looked up for every run, without making a key. */
  readonly #named = new Map<RunKind, Map<string, Handler>>();
  /** By kind. */
  readonly #kinds = new Map<RunKind, KindHandler>();

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
      parse: (params) => parseParams(options.params, params),
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

  /**
   * Serves a kind whole: runs of every name that is published, by one handler. Handlers of the kind with names of their own
   * come first. Workers claim by what the database has published (see `servedBy`), which it has for workflows alone.
   * @throws ConfigError for a kind that is served already, or has a handler with gates.
   */
  registerKind<S extends z.ZodType>(
    kind: 'workflow',
    { isKnown, ...options }: Pick<HandlerOptions<S>, 'params' | 'description'> & Pick<KindHandler, 'isKnown'>,
    code: HandlerFunction<S>,
  ): this {
    const key = handlerKey(kind, ANY_NAME);
    if (this.#kinds.has(kind)) throw new ConfigError(`handler ${key} is registered twice`);
    for (const handler of this.#handlers.values()) refuseGates(handler, kind);
    this.#kinds.set(kind, {
      isKnown,
      handler: {
        key,
        kind,
        name: ANY_NAME,
        description: options.description,
        tags: [],
        idempotency: null,
        paramsSchema: options.params,
        retry: null,
        gates: null,
        isolated: null,
        parse: (params) => parseParams(options.params, params),
        invoke: (params, ctx) => code(params as z.output<S>, ctx),
      },
    });
    return this;
  }

  #add(handler: Handler): void {
    const { key, kind, name } = handler;
    if (this.#kinds.has(kind)) refuseGates(handler, kind);
    if (!LIMITS.name.test(name)) {
      throw new ConfigError(`handler name ${JSON.stringify(name)} must match ${LIMITS.name.source}`);
    }
    if (this.#handlers.has(key)) throw new ConfigError(`handler ${key} is registered twice`);
    this.#handlers.set(key, handler);
    const named = this.#named.get(kind) ?? new Map<string, Handler>();
    this.#named.set(kind, named.set(name, handler));
  }

  /** The handler of that very name. */
  get(kind: RunKind, name: string): Handler | undefined {
    return this.#named.get(kind)?.get(name);
  }

  /** What executes a run of that name: its own handler, else that of the whole kind. */
  find(kind: RunKind, name: string): Handler | undefined {
    return this.get(kind, name) ?? this.#kinds.get(kind)?.handler;
  }

  /** How a kind is served whole; undefined for one that is not. */
  wholeKind(kind: RunKind): KindHandler | undefined {
    return this.#kinds.get(kind);
  }

  /** Every handler, in the order of registration. */
  handlers(): Handler[] {
    return [...this.#handlers.values()];
  }

  /** All keys, sorted; `kind:*` of a kind that is served whole. */
  keys(): string[] {
    const kinds = [...this.#kinds.values()].map(({ handler }) => handler.key);
    return [...this.#handlers.keys(), ...kinds].sort();
  }

  /** Keys of the handlers that have gates of their own, sorted. */
  gatedKeys(): string[] {
    return this.keys().filter((key) => this.#hasGates(key));
  }

  /** Keys of the others, sorted. */
  ungatedKeys(): string[] {
    return this.keys().filter((key) => !this.#hasGates(key));
  }

  #hasGates(key: string): boolean {
    return (this.#handlers.get(key)?.gates ?? null) !== null;
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

function refuseGates({ key, kind, gates }: Handler, whole: RunKind): void {
  if (kind !== whole || gates === null) return;
  throw new ConfigError(
    `handler ${key} has gates, and a kind that is served whole has none: say them with its runs`,
  );
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
