import { Body, Controller, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { assertNever } from '@spine/core';
import type { RunStatus } from '@spine/core';
import type { Engine } from '@spine/execution';
import { undoWorkflow } from '@spine/orchestration';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { accepted, envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { cancelBody, cancelledJson, emptyBody, retriedJson } from './run.schemas.ts';
import type { CancelBody, EmptyBody } from './run.schemas.ts';

const RUN_ID = new IdPipe('run');

function notCancellable(runId: string, status: RunStatus): HttpProblem {
  if (status === 'completed') {
    return new HttpProblem('ALREADY_COMPLETE', `run ${runId} is completed; there is nothing left to cancel`);
  }
  return new HttpProblem(
    'NOT_CANCELLABLE',
    `run ${runId} is ${status}; only a run that has not ended can be cancelled`,
  );
}

function notRetryable(runId: string, status: RunStatus): HttpProblem {
  if (status === 'completed') {
    return new HttpProblem(
      'ALREADY_COMPLETE',
      `run ${runId} is completed; submit a new run to do its work again`,
    );
  }
  return new HttpProblem(
    'CONFLICT',
    `run ${runId} is ${status}; only a run that ended without success can be retried`,
  );
}

@ApiTags('runs')
@Controller('api/v1/runs')
export class RunActionsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post(':run_id/cancel')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Cancel a run',
    description:
      'A waiting run never starts; a running one loses its hold at once and its signal with the next heartbeat. With `undo` a workflow ends when its compensations have run; asked a second time, it ends at once.',
    answers: {
      200: { description: 'Cancelled', schema: envelopeOf(cancelledJson) },
      202: { description: 'A workflow that is being undone', schema: envelopeOf(cancelledJson) },
    },
    problems: ['NOT_FOUND', 'NOT_CANCELLABLE', 'ALREADY_COMPLETE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async cancelRun(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: cancelBody }) body: CancelBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof cancelledJson>>> {
    const reason = body?.reason ?? null;
    // A run that is no workflow under way has nothing to undo.
    const undone =
      body?.undo === true ? await undoWorkflow(this.engine, runId, actorOf(reply.request), reason) : null;
    if (undone !== null) {
      const data = { run_id: runId, status: 'undoing', previous_status: undone } as const;
      auditChange(reply.request, { before: { status: undone }, after: { status: 'undoing' } });
      return accepted(reply, data, `/api/v1/runs/${runId}/workflow`);
    }
    const outcome = await this.engine.dispatcher.cancel(runId, reason);
    switch (outcome.type) {
      case 'cancelled':
        auditChange(reply.request, { before: { status: outcome.from }, after: { status: 'cancelled' } });
        return success(reply, { run_id: runId, status: 'cancelled', previous_status: outcome.from });
      case 'terminal':
        throw notCancellable(runId, outcome.status);
      case 'not_found':
        throw notFound('run', runId);
      default:
        return assertNever(outcome);
    }
  }

  @Post(':run_id/retry')
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Do the work of a run again',
    description: 'A new run with the spec of one that ended without success; the old one stays as it is.',
    answers: { 202: { description: 'A new run', schema: envelopeOf(retriedJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'ALREADY_COMPLETE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async retryRun(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof retriedJson>>> {
    const outcome = await this.engine.dispatcher.retry(runId, actorOf(reply.request));
    switch (outcome.type) {
      case 'retried': {
        const { runId: newId, status, createdAt } = outcome;
        const data = { run_id: newId, status, retry_of_run_id: runId, created_at: createdAt.toISOString() };
        auditChange(reply.request, { after: { run_id: newId } });
        return accepted(reply, data, `/api/v1/runs/${newId}`);
      }
      case 'not_retryable':
        throw notRetryable(runId, outcome.status);
      case 'not_found':
        throw notFound('run', runId);
      default:
        return assertNever(outcome);
    }
  }
}
