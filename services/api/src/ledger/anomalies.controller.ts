import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { assertNever, isUuid } from '@spine/core';
import { getAnomaly, listAnomalies, resolveAnomaly } from '@spine/database';
import type { Engine } from '@spine/execution';
import { actorOf } from '../auth/principal.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  anomalyFilter,
  anomalyJson,
  anomalyListQuery,
  resolveAnomalyBody,
  toAnomalyJson,
} from './anomalies.schemas.ts';
import type { AnomalyJson, AnomalyListQuery, ResolveAnomalyBody } from './anomalies.schemas.ts';

const ANOMALY_ID = new IdPipe('anomaly');

@ApiTags('data ledger')
@Controller('api/v1/anomalies')
export class AnomaliesController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List anomalies, newest first',
    answers: { 200: { description: 'One page', schema: listOf(anomalyJson) } },
  })
  async listAnomalies(
    @Query({ schema: anomalyListQuery }) query: AnomalyListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<AnomalyJson>> {
    const before = positionOf('anomalies', query, isUuid);
    const { limit, offset } = query;
    const page = { limit, offset, ...(before === undefined ? {} : { before }) };
    const found = await listAnomalies(this.engine.db, anomalyFilter(query), page);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toAnomalyJson),
      nextCursor: last === undefined ? null : encodeCursor('anomalies', last.anomalyId),
    });
  }

  @Get(':anomaly_id')
  @Operation({
    scope: 'read',
    summary: 'Get an anomaly',
    answers: { 200: { description: 'The anomaly', schema: envelopeOf(anomalyJson) } },
    problems: ['NOT_FOUND'],
  })
  async getAnomaly(
    @Param('anomaly_id', ANOMALY_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<AnomalyJson>> {
    const anomaly = await getAnomaly(this.engine.db, id);
    if (anomaly === null) throw notFound('anomaly', id);
    return success(reply, toAnomalyJson(anomaly));
  }

  @Post(':anomaly_id/resolve')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Resolve an anomaly',
    description: 'Once: whoever comes second is told who was first. It stays on record.',
    answers: { 200: { description: 'The resolved anomaly', schema: envelopeOf(anomalyJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resolveAnomaly(
    @Param('anomaly_id', ANOMALY_ID) id: string,
    @Body({ schema: resolveAnomalyBody }) body: ResolveAnomalyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<AnomalyJson>> {
    const by = body?.resolved_by ?? actorOf(reply.request);
    const outcome = await resolveAnomaly(this.engine.db, id, by, body?.note ?? null);
    switch (outcome.type) {
      case 'resolved':
        return success(reply, toAnomalyJson(outcome.anomaly));
      case 'already_resolved': {
        const { resolvedBy, resolvedAt } = outcome.anomaly;
        const when = resolvedAt === null ? '' : ` at ${resolvedAt.toISOString()}`;
        throw new HttpProblem('CONFLICT', `anomaly ${id} was resolved by ${resolvedBy ?? 'nobody'}${when}`);
      }
      case 'not_found':
        throw notFound('anomaly', id);
      default:
        return assertNever(outcome);
    }
  }
}
