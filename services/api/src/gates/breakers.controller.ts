import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { breakerLines, countBreakers, getBreaker, listBreakers, orderBreaker } from '@spine/database';
import type { BreakerOrder, BreakerRecord } from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  breakerJson,
  breakerListQuery,
  breakerName,
  breakerOrderBody,
  openBreakerBody,
  openOrder,
  toBreakerJson,
} from './gate.schemas.ts';
import type { BreakerJson, BreakerListQuery, BreakerOrderBody, OpenBreakerBody } from './gate.schemas.ts';

const COUNTED = 10_000;

/** Any name of a dependency may be ordered about: one without a row is closed. */
function nameIn(path: string): string {
  const parsed = breakerName.safeParse(path);
  if (parsed.success) return parsed.data;
  throw invalid([
    { field: 'name', code: 'invalid_format', message: parsed.error.issues[0]?.message ?? 'is no name' },
  ]);
}

@ApiTags('breakers')
@Controller('api/v1/breakers')
export class BreakersController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List circuit breakers',
    description: 'Those that were ever open or forced; a dependency that is not listed is closed.',
    answers: { 200: { description: 'One page, by name', schema: listOf(breakerJson) } },
  })
  async listBreakers(
    @Query({ schema: breakerListQuery }) query: BreakerListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<BreakerJson>> {
    const { pool } = this.engine;
    const page = { ...query, offset: 0 };
    const after = positionOf('breakers', page, (text) => breakerName.safeParse(text).success) ?? '';
    const found = await listBreakers(pool, { after, limit: query.limit + 1 });
    const items = found.slice(0, query.limit);
    const names = items.map(({ name }) => name);
    const [lines, total] = await Promise.all([breakerLines(pool, names), countBreakers(pool)]);
    const last = names.at(-1);
    return list(reply, page, {
      items: items.map((breaker) => toBreakerJson(breaker, lines.get(breaker.name) ?? 0)),
      total,
      totalIsCapped: total === COUNTED,
      hasMore: found.length > items.length,
      nextCursor: last === undefined ? null : encodeCursor('breakers', last),
    });
  }

  @Get(':name')
  @Operation({
    scope: 'read',
    summary: 'Get a circuit breaker',
    answers: { 200: { description: 'The breaker', schema: envelopeOf(breakerJson) } },
    problems: ['NOT_FOUND'],
  })
  async getBreaker(
    @Param('name') path: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BreakerJson>> {
    const breaker = await getBreaker(this.engine.pool, nameIn(path));
    if (breaker === null) throw notFound('breaker', path);
    return this.#answer(reply, breaker);
  }

  @Post(':name/open')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Open a circuit breaker',
    description: 'Calls of the dependency are refused, and runs that name it wait.',
    answers: { 200: { description: 'The breaker as it is now', schema: envelopeOf(breakerJson) } },
    problems: ['UNSUPPORTED_MEDIA_TYPE'],
  })
  openBreaker(
    @Param('name') path: string,
    @Body({ schema: openBreakerBody }) body: OpenBreakerBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BreakerJson>> {
    return this.#order(reply, path, openOrder(body), body);
  }

  @Post(':name/close')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Keep a circuit breaker closed',
    description: 'Calls pass whatever fails, until it is opened or reset.',
    answers: { 200: { description: 'The breaker as it is now', schema: envelopeOf(breakerJson) } },
    problems: ['UNSUPPORTED_MEDIA_TYPE'],
  })
  closeBreaker(
    @Param('name') path: string,
    @Body({ schema: breakerOrderBody }) body: BreakerOrderBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BreakerJson>> {
    return this.#order(reply, path, { type: 'close' }, body);
  }

  @Post(':name/reset')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Reset a circuit breaker',
    description: 'Closed, and from then on opened by the workers again when calls fail.',
    answers: { 200: { description: 'The breaker as it is now', schema: envelopeOf(breakerJson) } },
    problems: ['UNSUPPORTED_MEDIA_TYPE'],
  })
  resetBreaker(
    @Param('name') path: string,
    @Body({ schema: breakerOrderBody }) body: BreakerOrderBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BreakerJson>> {
    return this.#order(reply, path, { type: 'reset' }, body);
  }

  async #order(
    reply: FastifyReply,
    path: string,
    order: BreakerOrder,
    body: BreakerOrderBody,
  ): Promise<Envelope<BreakerJson>> {
    const { pool } = this.engine;
    const by = body?.by ?? actorOf(reply.request);
    const name = nameIn(path);
    const before = await getBreaker(pool, name);
    const breaker = await orderBreaker(pool, name, order, by, body?.note ?? null);
    auditChange(reply.request, {
      before: before === null ? null : toBreakerJson(before, 0),
      after: toBreakerJson(breaker, 0),
    });
    return this.#answer(reply, breaker);
  }

  async #answer(reply: FastifyReply, breaker: BreakerRecord): Promise<Envelope<BreakerJson>> {
    const lines = await breakerLines(this.engine.pool, [breaker.name]);
    return success(reply, toBreakerJson(breaker, lines.get(breaker.name) ?? 0));
  }
}
