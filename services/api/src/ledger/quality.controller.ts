import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { isUuid } from '@spine/core';
import { listQuality } from '@spine/database';
import type { Engine } from '@spine/execution';
import { listOf } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  qualityFilter,
  qualityListQuery,
  qualityResultJson,
  toQualityResultJson,
} from './quality.schemas.ts';
import type { QualityListQuery, QualityResultJson } from './quality.schemas.ts';

@ApiTags('data ledger')
@Controller('api/v1/quality')
export class QualityController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List what quality checks found, newest first',
    answers: { 200: { description: 'One page', schema: listOf(qualityResultJson) } },
  })
  async listQualityResults(
    @Query({ schema: qualityListQuery }) query: QualityListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<QualityResultJson>> {
    const before = positionOf('quality', query, isUuid);
    const { limit, offset } = query;
    const page = { limit, offset, ...(before === undefined ? {} : { before }) };
    const found = await listQuality(this.engine.db, qualityFilter(query), page);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toQualityResultJson),
      nextCursor: last === undefined ? null : encodeCursor('quality', last.resultId),
    });
  }
}
