import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { listWatermarks, partitionKeyText } from '@spine/database';
import type { Engine } from '@spine/execution';
import { listOf } from '../http/envelope.ts';
import { encodeCursor, list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { pageOf } from '../stats/in-memory-page.ts';
import { ENGINE } from '../tokens.ts';
import { keysetOf } from './partition-key.schemas.ts';
import { evidenceOf, expectedBy, gapsAmong } from './watermarks.gaps.ts';
import {
  gapJson,
  gapsQuery,
  toWatermarkJson,
  watermarkJson,
  watermarkListQuery,
} from './watermarks.schemas.ts';
import type { GapsQuery, WatermarkListQuery } from './watermarks.schemas.ts';

@ApiTags('watermarks')
@Controller('api/v1/watermarks')
export class WatermarksController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List watermarks by domain, source and partition',
    answers: { 200: { description: 'One page', schema: listOf(watermarkJson) } },
  })
  async listWatermarks(
    @Query({ schema: watermarkListQuery }) query: WatermarkListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof watermarkJson>>> {
    const { domain, source, limit, offset } = query;
    const [afterDomain = '', afterSource = '', afterKey = ''] = keysetOf('watermarks', query, 3) ?? [];
    const found = await listWatermarks(
      this.engine.db,
      { ...(domain === undefined ? {} : { domain }), ...(source === undefined ? {} : { source }) },
      {
        limit,
        offset,
        ...(query.cursor === undefined
          ? {}
          : { after: { domain: afterDomain, source: afterSource, partitionKey: afterKey } }),
      },
    );
    const last = found.items.at(-1);
    const position = (mark: NonNullable<typeof last>) =>
      JSON.stringify([mark.domain, mark.source, partitionKeyText(mark.partitionKey)]);
    return list(reply, query, {
      ...found,
      items: found.items.map(toWatermarkJson),
      nextCursor: last === undefined ? null : encodeCursor('watermarks', position(last)),
    });
  }

  @Get('gaps')
  @Operation({
    scope: 'read',
    summary: 'List partitions that are expected and not there',
    description:
      'What is expected says an expected schedule (`workflow`), or a `cadence` with a `template`; what is there says the watermarks of a `source`, or the manifest rows of a `stage`.',
    answers: { 200: { description: 'One page, oldest period first', schema: listOf(gapJson) } },
    problems: ['NOT_FOUND'],
  })
  async listGaps(
    @Query({ schema: gapsQuery }) query: GapsQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof gapJson>>> {
    const { db } = this.engine;
    const evidence = evidenceOf(query);
    const gaps = await gapsAmong(db, query.domain, await expectedBy(db, query), evidence);
    const now = Date.now();
    const page = pageOf(query, gaps, (gap) => ({
      partition_key: gap.partitionKey,
      period_end: gap.periodEnd,
      expected_at: gap.expectedAt.toISOString(),
      is_late: gap.expectedAt.getTime() <= now,
    }));
    return list(reply, query, page);
  }
}
