import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { isUuid } from '@spine/core';
import { getWorkItem, listWorkItems } from '@spine/database';
import type { Engine } from '@spine/execution';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { toWorkItemJson, workItemJson, workItemListQuery } from './work-items.schemas.ts';
import type { WorkItemListQuery } from './work-items.schemas.ts';

type WorkItemJson = z.infer<typeof workItemJson>;

@ApiTags('work items')
@Controller('api/v1/work-items')
export class WorkItemsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List work items, newest first',
    answers: { 200: { description: 'One page', schema: listOf(workItemJson) } },
  })
  async listWorkItems(
    @Query({ schema: workItemListQuery }) query: WorkItemListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<WorkItemJson>> {
    const { domain, workflow, state, partition_key: partitionKey, limit, offset } = query;
    const before = positionOf('work_items', query, isUuid);
    const found = await listWorkItems(
      this.engine.db,
      {
        ...(domain === undefined ? {} : { domain }),
        ...(workflow === undefined ? {} : { workflow }),
        ...(state === undefined ? {} : { state }),
        ...(partitionKey === undefined ? {} : { partitionKey }),
      },
      { limit, offset, ...(before === undefined ? {} : { before }) },
    );
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toWorkItemJson),
      nextCursor: last === undefined ? null : encodeCursor('work_items', last.workItemId),
    });
  }

  @Get(':work_item_id')
  @Operation({
    scope: 'read',
    summary: 'Get a work item',
    answers: { 200: { description: 'The work item', schema: envelopeOf(workItemJson) } },
    problems: ['NOT_FOUND'],
  })
  async getWorkItem(
    @Param('work_item_id', new IdPipe('work item')) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkItemJson>> {
    const item = await getWorkItem(this.engine.db, id);
    if (item === null) throw notFound('work item', id);
    return success(reply, toWorkItemJson(item));
  }
}
