import { Body, Controller, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { assertNever } from '@spine/core';
import { requestDrain } from '@spine/database';
import type { Engine } from '@spine/execution';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { ENGINE } from '../tokens.ts';

const drainJson = z
  .object({ worker_id: z.string(), drain_requested_at: z.iso.datetime() })
  .meta({ id: 'WorkerDrain' });

@ApiTags('workers')
@Controller('api/v1/workers')
export class WorkersController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post(':worker_id/drain')
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Ask a worker to stop',
    description:
      'It claims nothing more, lets what runs finish within its grace, hands the rest back without charging an attempt, and ends its process, which its supervisor replaces by a fresh one.',
    answers: { 202: { description: 'Asked', schema: envelopeOf(drainJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async drainWorker(
    @Param('worker_id', new IdPipe('worker')) workerId: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof drainJson>>> {
    const outcome = await requestDrain(this.engine.pool, workerId);
    switch (outcome.type) {
      case 'requested':
        void reply.code(202);
        return success(reply, {
          worker_id: workerId,
          drain_requested_at: outcome.requestedAt.toISOString(),
        });
      case 'draining':
        throw new HttpProblem('CONFLICT', `worker ${workerId} is stopping already`);
      case 'stopped':
        throw new HttpProblem('CONFLICT', `worker ${workerId} has stopped`);
      case 'silent':
        throw new HttpProblem(
          'CONFLICT',
          `worker ${workerId} has not been heard of since ${outcome.lastSeenAt.toISOString()}; what it held is taken from it`,
        );
      case 'not_found':
        throw notFound('worker', workerId);
      default:
        return assertNever(outcome);
    }
  }
}
