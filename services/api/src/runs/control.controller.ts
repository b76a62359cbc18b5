import { Body, Controller, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { assertNever, isTerminal } from '@spine/core';
import type { RunStatus } from '@spine/core';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  bulkCancelBody,
  bulkCancelJson,
  cancelFilter,
  pauseBody,
  pausedJson,
  resumedJson,
  toBulkCancelJson,
} from './control.schemas.ts';
import type { BulkCancelBody, BulkCancelJson, PauseBody } from './control.schemas.ts';
import { emptyBody } from './run.schemas.ts';
import type { EmptyBody } from './run.schemas.ts';

const RUN_ID = new IdPipe('run');

function notPausable(runId: string, status: RunStatus): HttpProblem {
  if (status === 'completed') {
    return new HttpProblem('ALREADY_COMPLETE', `run ${runId} is completed; there is nothing left to pause`);
  }
  const why = isTerminal(status)
    ? 'only a run that has not ended can be paused'
    : 'it stays so until it is resumed';
  return new HttpProblem('CONFLICT', `run ${runId} is ${status}; ${why}`);
}

@ApiTags('runs')
@Controller('api/v1/runs')
export class RunControlController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post(':run_id/pause')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Set a run aside',
    description:
      'It does not start until it is resumed. A running one loses its hold at once; its handler is told by its signal, the attempt is not charged, and starts again from the beginning when the run is resumed. Its time to live and its deadline go on.',
    answers: { 200: { description: 'Paused', schema: envelopeOf(pausedJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'ALREADY_COMPLETE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async pauseRun(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: pauseBody }) body: PauseBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof pausedJson>>> {
    const outcome = await this.engine.dispatcher.pause(runId, body?.reason ?? null);
    switch (outcome.type) {
      case 'paused':
        auditChange(reply.request, { before: { status: outcome.from }, after: { status: 'paused' } });
        return success(reply, { run_id: runId, status: 'paused', previous_status: outcome.from });
      case 'refused':
        throw notPausable(runId, outcome.status);
      case 'not_found':
        throw notFound('run', runId);
      default:
        return assertNever(outcome);
    }
  }

  @Post(':run_id/resume')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Let a paused run go on',
    answers: { 200: { description: 'Waiting again', schema: envelopeOf(resumedJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resumeRun(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof resumedJson>>> {
    const outcome = await this.engine.dispatcher.resume(runId);
    switch (outcome.type) {
      case 'resumed':
        auditChange(reply.request, { before: { status: 'paused' }, after: { status: outcome.status } });
        return success(reply, { run_id: runId, status: outcome.status });
      case 'refused':
        throw new HttpProblem(
          'CONFLICT',
          `run ${runId} is ${outcome.status}; only a paused run can be resumed`,
        );
      case 'not_found':
        throw notFound('run', runId);
      default:
        return assertNever(outcome);
    }
  }

  @Post('cancel')
  @HttpCode(200)
  @Operation({
    scope: 'operate',
    confinement: 'filtered',
    summary: 'Cancel many runs',
    description:
      'Runs that match and have not ended, each with all it has started and an outcome of its own. When there are more than the limit, call again; which of them come first is not defined.',
    answers: { 200: { description: 'What became of each', schema: envelopeOf(bulkCancelJson) } },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async cancelRuns(
    @Body({ schema: bulkCancelBody }) body: BulkCancelBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BulkCancelJson>> {
    const filter = { ...cancelFilter(body), ...runScopeOf(reply.request) };
    const result = await this.engine.dispatcher.cancelAll(filter, {
      reason: body.reason ?? null,
      dryRun: body.dry_run,
      limit: body.limit,
    });
    const data = toBulkCancelJson(body.dry_run, result);
    const cancelled = data.items.filter(({ outcome }) => outcome === 'cancelled');
    const below = cancelled.reduce((sum, { descendants }) => sum + descendants, 0);
    auditChange(reply.request, { touched: cancelled.length + below });
    return success(reply, data);
  }
}
