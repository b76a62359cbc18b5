import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { deadLetterStatsJson, DLQManager, toDeadLetterStatsJson } from '@spine/execution';
import type { DeadLetterStatsJson, Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  bulkBody,
  bulkOptions,
  bulkReplayJson,
  bulkResolveJson,
  pendingFilter,
  purgeBody,
  purgedJson,
  statsQuery,
  toBulkReplayJson,
  toBulkResolveJson,
} from './bulk-dead-letters.schemas.ts';
import type { BulkBody, PurgeBody, StatsQuery } from './bulk-dead-letters.schemas.ts';

@ApiTags('dead letters')
@Controller('api/v1/dlq')
export class BulkDeadLettersController {
  readonly #letters: DLQManager;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#letters = new DLQManager(engine);
  }

  @Get('stats')
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'Count dead letters by handler and category',
    answers: { 200: { description: 'The counts', schema: envelopeOf(deadLetterStatsJson) } },
  })
  async getDeadLetterStats(
    @Query({ schema: statsQuery }) query: StatsQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<DeadLetterStatsJson>> {
    return success(
      reply,
      toDeadLetterStatsJson(
        await this.#letters.stats(query.closed_days, runScopeOf(reply.request).namespace),
      ),
    );
  }

  @Post('replay')
  @Operation({
    scope: 'operate',
    confinement: 'filtered',
    summary: 'Run many dead letters again',
    description:
      'Each as a new run, with an outcome of its own. When there are more than the limit, call again: what was replayed is not pending any more.',
    answers: {
      202: { description: 'New runs', schema: envelopeOf(bulkReplayJson) },
      200: { description: 'What would happen (dry run)', schema: envelopeOf(bulkReplayJson) },
    },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async replayDeadLetters(
    @Body({ schema: bulkBody }) body: BulkBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof bulkReplayJson>>> {
    const filter = { ...pendingFilter(body), ...runScopeOf(reply.request) };
    const result = await this.#letters.replayAll(filter, bulkOptions(body, actorOf(reply.request)));
    void reply.code(body.dry_run ? 200 : 202);
    const data = toBulkReplayJson(body.dry_run, result);
    auditChange(reply.request, { touched: data.replayed });
    return success(reply, data);
  }

  @Post('resolve')
  @HttpCode(200)
  @Operation({
    scope: 'operate',
    confinement: 'filtered',
    summary: 'Close many dead letters without running them again',
    answers: { 200: { description: 'What was closed', schema: envelopeOf(bulkResolveJson) } },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resolveDeadLetters(
    @Body({ schema: bulkBody }) body: BulkBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof bulkResolveJson>>> {
    const filter = { ...pendingFilter(body), ...runScopeOf(reply.request) };
    const result = await this.#letters.resolveAll(filter, bulkOptions(body, actorOf(reply.request)));
    const data = toBulkResolveJson(body.dry_run, result);
    auditChange(reply.request, { touched: data.resolved });
    return success(reply, data);
  }

  @Post('purge')
  @HttpCode(200)
  @Operation({
    scope: 'operate',
    summary: 'Delete dead letters that were resolved long ago',
    description: 'Never a pending one. Their runs stay.',
    answers: { 200: { description: 'How many', schema: envelopeOf(purgedJson) } },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async purgeDeadLetters(
    @Body({ schema: purgeBody }) body: PurgeBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof purgedJson>>> {
    const { older_than_days, dry_run } = body;
    const deleted = await this.#letters.purgeResolved(older_than_days, { dryRun: dry_run });
    auditChange(reply.request, { touched: dry_run ? 0 : deleted });
    return success(reply, { dry_run, older_than_days, deleted });
  }
}
