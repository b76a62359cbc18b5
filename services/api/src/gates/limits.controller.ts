import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { countGates, listGates } from '@spine/database';
import type { Engine } from '@spine/execution';
import { listOf } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { limitAt, limitJson, limitListQuery, limitPosition, toLimitJson } from './gate.schemas.ts';
import type { LimitJson, LimitListQuery } from './gate.schemas.ts';

const COUNTED = 10_000;

@ApiTags('limits')
@Controller('api/v1/limits')
export class LimitsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List the keys that limits are counted under',
    description:
      'Concurrency keys with their holders, rates with what is free, singletons with their active run.',
    answers: { 200: { description: 'One page, by type and key', schema: listOf(limitJson) } },
  })
  async listLimits(
    @Query({ schema: limitListQuery }) query: LimitListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<LimitJson>> {
    const { pool } = this.engine;
    const page = { ...query, offset: 0 };
    const position = positionOf('limits', page, (text) => limitAt(text) !== null);
    const filter = {
      ...(query.type === undefined ? {} : { type: query.type }),
      after: position === undefined ? null : limitAt(position),
      limit: query.limit + 1,
    };
    const [found, total] = await Promise.all([listGates(pool, filter), countGates(pool, query.type)]);
    const items = found.slice(0, query.limit);
    const last = items.at(-1);
    return list(reply, page, {
      items: items.map(toLimitJson),
      total,
      totalIsCapped: total === COUNTED,
      hasMore: found.length > items.length,
      nextCursor: last === undefined ? null : encodeCursor('limits', limitPosition(last)),
    });
  }
}
