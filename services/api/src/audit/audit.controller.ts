import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { listAudit } from '@spine/database';
import type { AuditPosition } from '@spine/database';
import type { Engine } from '@spine/execution';
import { listOf } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { auditFilter, auditJsonSchema, auditQuery, toAuditJson } from './audit.schemas.ts';
import type { AuditJson, AuditQuery } from './audit.schemas.ts';

/** Milliseconds since 1970 and an id. */
const POSITION = /^(\d{1,15})\/(\d{1,18})$/;

function positionIn(text: string): AuditPosition {
  const [, at = '', auditId = ''] = POSITION.exec(text) ?? [];
  return { at: new Date(Number(at)), auditId };
}

@ApiTags('keys')
@Controller('api/v1/audit')
export class AuditController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'admin',
    summary: 'List who changed what, newest first',
    description:
      'Every call that changes something, refused ones included; submits are recorded with the runs themselves (`submitted_by`).',
    answers: { 200: { description: 'One page', schema: listOf(auditJsonSchema) } },
  })
  async listAudit(
    @Query({ schema: auditQuery }) query: AuditQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<AuditJson>> {
    const after = positionOf('audit', query, (text) => POSITION.test(text));
    const { limit, offset } = query;
    const page = { limit, offset, ...(after === undefined ? {} : { after: positionIn(after) }) };
    const found = await listAudit(this.engine.db, auditFilter(query), page);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toAuditJson),
      nextCursor: last === undefined ? null : encodeCursor('audit', `${last.at.getTime()}/${last.auditId}`),
    });
  }
}
