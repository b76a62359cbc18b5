import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { handlerKey, IDEMPOTENCY_LEVELS, RUN_KINDS } from '@spine/core';
import type { RunKind } from '@spine/core';
import { ANY_NAME } from '@spine/database';
import type { Engine, HandlerDescription } from '@spine/execution';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list, offsetPaging } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';

export const functionJson = z
  .object({
    kind: z.enum(RUN_KINDS),
    name: z.string(),
    description: z.string().nullable().describe('Null where only a worker knows the handler.'),
    tags: z.array(z.string()),
    idempotency: z
      .enum(IDEMPOTENCY_LEVELS)
      .nullable()
      .describe(
        'What a second run over the same input does to the rows the handler writes: appends them again, skips those whose hash is there, or replaces those of the key. Null where it does not say.',
      ),
    params_schema: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('JSON Schema (2020-12) of the params.'),
    live: z.boolean().describe('Whether a live worker executes it now.'),
  })
  .meta({ id: 'Function', description: 'A handler that runs can name.' });
export type FunctionJson = z.infer<typeof functionJson>;

function described(handler: HandlerDescription, live: ReadonlySet<string>): FunctionJson {
  return {
    kind: handler.kind,
    name: handler.name,
    description: handler.description,
    tags: [...handler.tags],
    idempotency: handler.idempotency,
    params_schema: { ...handler.paramsSchema },
    live: live.has(handlerKey(handler.kind, handler.name)),
  };
}

function isKind(text: string): text is RunKind {
  return RUN_KINDS.some((kind) => kind === text);
}

/** A handler this process knows by its key alone, from the rows of live workers. */
function undescribed(key: string): FunctionJson[] {
  const at = key.indexOf(':');
  const kind = key.slice(0, at);
  if (!isKind(kind)) return [];
  const name = key.slice(at + 1);
  // Names of a kind that is served whole are workflows: GET /workflows lists them.
  if (name === ANY_NAME) return [];
  return [{ kind, name, description: null, tags: [], idempotency: null, params_schema: null, live: true }];
}

const functionListQuery = z.strictObject(offsetPaging);
type FunctionListQuery = z.infer<typeof functionListQuery>;

function byKey(a: FunctionJson, b: FunctionJson): number {
  return handlerKey(a.kind, a.name) < handlerKey(b.kind, b.name) ? -1 : 1;
}

@ApiTags('functions')
@Controller('api/v1/functions')
export class FunctionsController {
  readonly #engine: Engine;
  /** What this process knows: complete since the start, and worth describing once. */
  readonly #known: readonly HandlerDescription[];

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#engine = engine;
    this.#known = engine.registry.describeAll();
  }

  @Get()
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'List the handlers that runs can name',
    description: 'Those this process knows, and those only live workers know.',
    answers: { 200: { description: 'One page', schema: listOf(functionJson) } },
  })
  async listFunctions(
    @Query({ schema: functionListQuery }) query: FunctionListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<FunctionJson>> {
    const all = await this.#functions();
    const end = query.offset + query.limit;
    const items = all.slice(query.offset, end);
    return list(reply, query, { items, total: all.length, hasMore: end < all.length, nextCursor: null });
  }

  @Get(':kind/:name')
  @Operation({
    scope: 'read',
    confinement: 'shared',
    summary: 'Get a handler',
    answers: { 200: { description: 'The handler', schema: envelopeOf(functionJson) } },
    problems: ['NOT_FOUND'],
  })
  async getFunction(
    @Param('kind') kind: string,
    @Param('name') name: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<FunctionJson>> {
    const found = (await this.#functions()).find((handler) => handler.kind === kind && handler.name === name);
    if (found === undefined) throw notFound('handler', `${kind}:${name}`);
    return success(reply, found);
  }

  async #functions(): Promise<FunctionJson[]> {
    const { registry, capacity } = this.#engine;
    const { handlers: live } = await capacity.fresh();
    const known = new Set(registry.keys());
    const workersOnly = [...live].filter((key) => !known.has(key)).flatMap(undescribed);
    return [...this.#known.map((handler) => described(handler, live)), ...workersOnly].sort(byKey);
  }
}
