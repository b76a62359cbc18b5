import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { certify, listReadiness, partitionKeyText } from '@spine/database';
import type { Engine } from '@spine/execution';
import { actorOf } from '../auth/principal.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { encodeCursor, list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { keysetOf } from './partition-key.schemas.ts';
import { certifyBody, readinessJson, readinessListQuery, toReadinessJson } from './readiness.schemas.ts';
import type { CertifyBody, ReadinessJson, ReadinessListQuery } from './readiness.schemas.ts';

@ApiTags('readiness')
@Controller('api/v1/readiness')
export class ReadinessController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List the last verdicts on readiness',
    description: 'Each is as old as its `evaluated_at`; POST /readiness/certify judges anew.',
    answers: {
      200: { description: 'One page, by domain, partition and purpose', schema: listOf(readinessJson) },
    },
  })
  async listReadiness(
    @Query({ schema: readinessListQuery }) query: ReadinessListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<ReadinessJson>> {
    const {
      domain,
      ready_for: readyFor,
      is_ready: isReady,
      partition_key: partitionKey,
      limit,
      offset,
    } = query;
    const [afterDomain = '', afterKey = '', afterFor = ''] = keysetOf('readiness', query, 3) ?? [];
    const found = await listReadiness(
      this.engine.db,
      {
        ...(domain === undefined ? {} : { domain }),
        ...(readyFor === undefined ? {} : { readyFor }),
        ...(isReady === undefined ? {} : { isReady }),
        ...(partitionKey === undefined ? {} : { partitionKey }),
      },
      {
        limit,
        offset,
        ...(query.cursor === undefined
          ? {}
          : { after: { domain: afterDomain, partitionKey: afterKey, readyFor: afterFor } }),
      },
    );
    const last = found.items.at(-1);
    const position = (at: NonNullable<typeof last>) =>
      JSON.stringify([at.domain, partitionKeyText(at.partitionKey), at.readyFor]);
    return list(reply, query, {
      ...found,
      items: found.items.map(toReadinessJson),
      nextCursor: last === undefined ? null : encodeCursor('readiness', position(last)),
    });
  }

  @Post('certify')
  @HttpCode(200)
  @Operation({
    scope: 'operate',
    summary: 'Judge whether a partition may be used for a purpose',
    description:
      'Judged from what the ledger holds now, and kept. The answer is 200 whatever the verdict is; look at `is_ready`. What is not known blocks.',
    answers: { 200: { description: 'The verdict, with every reason', schema: envelopeOf(readinessJson) } },
    problems: ['UNSUPPORTED_MEDIA_TYPE'],
  })
  async certify(
    @Body({ schema: certifyBody }) body: CertifyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ReadinessJson>> {
    const verdict = await certify(this.engine.db, {
      domain: body.domain,
      workflow: body.workflow,
      partitionKey: body.partition_key,
      readyFor: body.ready_for,
      certifiedBy: body.certified_by ?? actorOf(reply.request),
    });
    return success(reply, toReadinessJson(verdict));
  }
}
