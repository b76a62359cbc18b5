import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import type { PipeTransform } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { countOpenRejects, countRejectsByReason, getReject, listRejects, repairsOf } from '@spine/database';
import { operationSpec, REPLAY_REJECTS, replayFilter, replayParams } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { accepted, envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ConfinedSubmit } from '../runs/confined-submit.ts';
import { submitted } from '../runs/submit-outcome.ts';
import { ENGINE } from '../tokens.ts';
import {
  rejectDetailJson,
  rejectFilter,
  rejectJson,
  rejectListQuery,
  rejectReplayJson,
  rejectSummaryJson,
  rejectSummaryQuery,
  replayRejectsBody,
  toRejectDetailJson,
  toRejectJson,
  toRejectSummaryJson,
} from './rejects.schemas.ts';
import type {
  RejectDetailJson,
  RejectJson,
  RejectListQuery,
  RejectReplayJson,
  RejectSummaryJson,
  RejectSummaryQuery,
  ReplayRejectsBody,
} from './rejects.schemas.ts';

function isRejectId(text: string): boolean {
  return /^[1-9]\d{0,14}$/.test(text);
}

/** Ids are opaque: whatever is not one of ours names nothing. */
class RejectIdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (!isRejectId(id)) throw notFound('reject', id);
    return id;
  }
}

@ApiTags('data ledger')
@Controller('api/v1/rejects')
export class RejectsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List refused rows, newest first',
    answers: { 200: { description: 'One page', schema: listOf(rejectJson) } },
  })
  async listRejects(
    @Query({ schema: rejectListQuery }) query: RejectListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<RejectJson>> {
    const before = positionOf('rejects', query, isRejectId);
    const { limit, offset } = query;
    const page = { limit, offset, ...(before === undefined ? {} : { before }) };
    const found = await listRejects(this.engine.db, rejectFilter(query), page);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toRejectJson),
      nextCursor: last === undefined ? null : encodeCursor('rejects', last.rejectId),
    });
  }

  @Get('summary')
  @Operation({
    scope: 'read',
    summary: 'Count the refused rows of a domain by reason',
    answers: { 200: { description: 'The counts', schema: envelopeOf(rejectSummaryJson) } },
  })
  async getRejectSummary(
    @Query({ schema: rejectSummaryQuery }) { domain }: RejectSummaryQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<RejectSummaryJson>> {
    return success(reply, toRejectSummaryJson(domain, await countRejectsByReason(this.engine.db, domain)));
  }

  @Get(':reject_id')
  @Operation({
    scope: 'read',
    summary: 'Get a refused row with its repairs',
    answers: { 200: { description: 'The reject', schema: envelopeOf(rejectDetailJson) } },
    problems: ['NOT_FOUND'],
  })
  async getReject(
    @Param('reject_id', new RejectIdPipe()) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<RejectDetailJson>> {
    const { db } = this.engine;
    const reject = await getReject(db, id);
    if (reject === null) throw notFound('reject', id);
    return success(reply, toRejectDetailJson(reject, await repairsOf(db, id)));
  }

  @Post('replay')
  @Operation({
    scope: 'operate',
    summary: 'Judge refused rows again, by the rules as they are now',
    description:
      'Submits a run of operation:ledger.replay_rejects. What passes is stored and its reject closed; what does not stays open, with the reason it has now.',
    answers: {
      202: { description: 'The run', schema: envelopeOf(rejectReplayJson) },
      200: { description: 'What would be judged again (dry run)', schema: envelopeOf(rejectReplayJson) },
    },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async replayRejects(
    @Body({ schema: replayRejectsBody }) body: ReplayRejectsBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<RejectReplayJson>> {
    const { dry_run, lane, ...selection } = body;
    const params = replayParams.parse(selection);
    const { total, totalIsCapped, byReason } = await countOpenRejects(this.engine.db, replayFilter(params));
    const found = {
      dry_run,
      matched: total,
      matched_is_capped: totalIsCapped,
      by_reason: byReason.map(({ stage, reasonCode, count }) => ({ stage, reason_code: reasonCode, count })),
    };
    if (dry_run) {
      void reply.code(200);
      return success(reply, { ...found, run_id: null });
    }
    const spec = operationSpec(REPLAY_REJECTS, params, lane === undefined ? {} : { lane });
    const submit = new ConfinedSubmit(this.engine, reply.request, false);
    const result = submitted(spec, await submit.submit(spec));
    if (result.type === 'refused') throw result.problem;
    const { run_id } = result.run;
    return accepted(reply, { ...found, run_id }, `/api/v1/runs/${run_id}`);
  }
}
