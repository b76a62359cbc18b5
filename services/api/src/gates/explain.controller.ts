import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { explainRun, explanationJson, loadExplainFacts, toExplanationJson } from '@spine/execution';
import type { Engine, ExplanationJson } from '@spine/execution';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';

@ApiTags('runs')
@Controller('api/v1/runs')
export class ExplainController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get(':run_id/explain')
  @Operation({
    scope: 'read',
    summary: 'Why a run waits',
    description:
      'Every reason that keeps it from starting now, read in one snapshot from the rows that decide: times, pauses, workers, and the gates with who holds them.',
    answers: { 200: { description: 'The reasons', schema: envelopeOf(explanationJson) } },
    problems: ['NOT_FOUND'],
  })
  async explain(
    @Param('run_id', new IdPipe('run')) runId: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ExplanationJson>> {
    const { db, registry } = this.engine;
    const facts = await loadExplainFacts(db, registry, runId);
    if (facts === null) throw notFound('run', runId);
    return success(reply, toExplanationJson(facts, explainRun(facts)));
  }
}
