import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ExecutionRepository, queueStateJson, toQueueStateJson } from '@spine/execution';
import type { Engine, QueueStateJson } from '@spine/execution';
import { listOf } from '../http/envelope.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { pageOf } from './in-memory-page.ts';
import { LARGE_BACKLOG, pageQuery } from './stats.schemas.ts';
import type { PageQuery } from './stats.schemas.ts';

@ApiTags('queues')
@Controller('api/v1/queues')
export class QueuesController {
  readonly #ledger: ExecutionRepository;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#ledger = new ExecutionRepository(engine.db);
  }

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List the lanes that have work, a live worker or a pause',
    description: LARGE_BACKLOG,
    answers: { 200: { description: 'One page, by name', schema: listOf(queueStateJson) } },
  })
  async listQueues(
    @Query({ schema: pageQuery }) query: PageQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<QueueStateJson>> {
    return list(reply, query, pageOf(query, await this.#ledger.queues(), toQueueStateJson));
  }
}
