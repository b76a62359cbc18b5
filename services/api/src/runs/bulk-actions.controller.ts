import { Body, Controller, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { bulkRetryBody, bulkRetryJson, retryFilter, toBulkRetryJson } from './bulk-actions.schemas.ts';
import type { BulkRetryBody } from './bulk-actions.schemas.ts';

@ApiTags('runs')
@Controller('api/v1/runs')
export class BulkRunActionsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post('retry')
  @Operation({
    scope: 'operate',
    confinement: 'filtered',
    summary: 'Do the work of many runs again',
    description:
      'Runs that ended without success and that nobody has retried, each as a new run with an outcome of its own. When there are more than the limit, call again. Pending dead letters of these runs are closed.',
    answers: {
      202: { description: 'New runs', schema: envelopeOf(bulkRetryJson) },
      200: { description: 'What would happen (dry run)', schema: envelopeOf(bulkRetryJson) },
    },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async retryRuns(
    @Body({ schema: bulkRetryBody }) body: BulkRetryBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof bulkRetryJson>>> {
    const filter = { ...retryFilter(body), ...runScopeOf(reply.request) };
    const result = await this.engine.dispatcher.retryAll(filter, {
      by: body.requested_by ?? actorOf(reply.request),
      dryRun: body.dry_run,
      limit: body.limit,
    });
    void reply.code(body.dry_run ? 200 : 202);
    const data = toBulkRetryJson(body.dry_run, result);
    auditChange(reply.request, { touched: data.retried });
    return success(reply, data);
  }
}
