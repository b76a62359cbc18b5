import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Queryable } from '@spine/database';
import { explainRun, explanationJson, loadExplainFacts, toExplanationJson } from '@spine/execution';
import type { Engine, ExplanationJson } from '@spine/execution';
import { runScopeOf, visibleRuns } from '../auth/run-scope.ts';
import type { RunScope } from '../auth/run-scope.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';

/** Handlers' own gates are everybody's: who else stands before one is not for a confined caller. */
async function withoutOthers(
  db: Queryable,
  scope: RunScope,
  explanation: ExplanationJson,
): Promise<ExplanationJson> {
  if (scope.namespace === undefined) return explanation;
  const visible = await visibleRuns(
    db,
    scope,
    explanation.reasons.flatMap((reason) => reason.run_ids ?? []),
  );
  const reasons = explanation.reasons.map((reason) =>
    reason.run_ids === undefined
      ? reason
      : { ...reason, run_ids: reason.run_ids.filter((id) => visible.has(id)) },
  );
  return { ...explanation, reasons };
}

@ApiTags('runs')
@Controller('api/v1/runs')
export class ExplainController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get(':run_id/explain')
  @Operation({
    scope: 'read',
    confinement: 'run',
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
    const { db, pool, registry } = this.engine;
    const facts = await loadExplainFacts(db, registry, runId);
    if (facts === null) throw notFound('run', runId);
    const explanation = toExplanationJson(facts, explainRun(facts));
    return success(reply, await withoutOthers(pool, runScopeOf(reply.request), explanation));
  }
}
