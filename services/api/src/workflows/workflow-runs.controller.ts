import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { assertNever, deciderOf, isUuid } from '@spine/core';
import { getRun, listWorkflowSteps } from '@spine/database';
import type { Engine } from '@spine/execution';
import { decideWorkflowApproval, signalWorkflow } from '@spine/orchestration';
import { auditChange } from '../audit/record.ts';
import { principalOf } from '../auth/principal.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  decisionBody,
  signalBody,
  stepListQuery,
  toldJson,
  toWorkflowStepJson,
  workflowStepJson,
} from './workflow-run.schemas.ts';
import type { DecisionBody, SignalBody, StepListQuery } from './workflow-run.schemas.ts';

type WorkflowStepJson = z.infer<typeof workflowStepJson>;
type ToldJson = z.infer<typeof toldJson>;

const RUN_ID = new IdPipe('run');

@ApiTags('runs')
@Controller('api/v1/runs')
export class WorkflowRunsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get(':run_id/steps')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'List the runs a workflow has started, oldest first',
    description:
      'One for each attempt of a step, an item, a compensation or another workflow; none of any other run.',
    answers: { 200: { description: 'One page', schema: listOf(workflowStepJson) } },
    problems: ['NOT_FOUND'],
  })
  async listSteps(
    @Param('run_id', RUN_ID) runId: string,
    @Query({ schema: stepListQuery }) query: StepListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<WorkflowStepJson>> {
    const { limit, offset } = query;
    const after = positionOf('steps', query, isUuid) ?? null;
    const found = await listWorkflowSteps(this.engine.db, runId, { after, limit, offset });
    if (found.total === 0) await this.#mustExist(runId);
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toWorkflowStepJson),
      nextCursor: last === undefined ? null : encodeCursor('steps', last.runId),
    });
  }

  @Post(':run_id/signal')
  @HttpCode(202)
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Send a signal to a workflow run',
    answers: { 202: { description: 'Accepted', schema: envelopeOf(toldJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  async signalRun(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: signalBody }) { name, data }: SignalBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ToldJson>> {
    if (!(await signalWorkflow(this.engine.db, runId, name, data))) {
      await this.#mustExist(runId);
      throw new HttpProblem('CONFLICT', `run ${runId} is no workflow that is under way`);
    }
    return success(reply, { run_id: runId, told: true });
  }

  @Post(':run_id/steps/:step/approve')
  @HttpCode(202)
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Approve what a workflow run asks',
    answers: { 202: { description: 'Decided', schema: envelopeOf(toldJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'FORBIDDEN', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  approveStep(
    @Param('run_id', RUN_ID) runId: string,
    @Param('step') step: string,
    @Body({ schema: decisionBody }) body: DecisionBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ToldJson>> {
    return this.#decide(runId, step, true, body, reply);
  }

  @Post(':run_id/steps/:step/reject')
  @HttpCode(202)
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Reject what a workflow run asks',
    description: 'The step fails.',
    answers: { 202: { description: 'Decided', schema: envelopeOf(toldJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'FORBIDDEN', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  rejectStep(
    @Param('run_id', RUN_ID) runId: string,
    @Param('step') step: string,
    @Body({ schema: decisionBody }) body: DecisionBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ToldJson>> {
    return this.#decide(runId, step, false, body, reply);
  }

  async #decide(
    runId: string,
    step: string,
    approved: boolean,
    { by: claimed, comment }: DecisionBody,
    reply: FastifyReply,
  ): Promise<Envelope<ToldJson>> {
    const by = decidingName(reply.request, claimed);
    const { type, id } = principalOf(reply.request);
    const decision = { approved, by, ...(type === 'local' ? {} : { via: id }), comment: comment ?? null };
    const outcome = await decideWorkflowApproval(this.engine.db, runId, step, decision);
    switch (outcome.type) {
      case 'decided':
        // In whose name, beside who it was.
        auditChange(reply.request, { after: { approved, by } });
        return success(reply, { run_id: runId, told: true });
      case 'not_asked':
        throw new HttpProblem(
          'FORBIDDEN',
          `${by} is not asked; step ${step} asks ${outcome.approvers.join(', ')}`,
        );
      case 'expired':
        throw new HttpProblem(
          'CONFLICT',
          `step ${step} of run ${runId} could be decided until ${outcome.at.toISOString()}`,
        );
      case 'not_open':
        await this.#mustExist(runId);
        throw new HttpProblem('CONFLICT', `run ${runId} asks nothing in a step ${step} now`);
      default:
        return assertNever(outcome);
    }
  }

  async #mustExist(runId: string): Promise<void> {
    if ((await getRun(this.engine.db, runId)) === null) throw notFound('run', runId);
  }
}

/** In whose name a request decides. @throws HttpProblem where it may not, or does not say. */
function decidingName(request: FastifyRequest, claimed: string | undefined): string {
  const principal = principalOf(request);
  const decider = deciderOf(principal.type === 'local' ? null : principal, claimed);
  switch (decider.type) {
    case 'decides':
      return decider.name;
    case 'nameless':
      throw invalid([
        { field: 'by', code: 'required', message: 'is required: without keys nobody knows who decides' },
      ]);
    case 'pretends':
      throw new HttpProblem(
        'FORBIDDEN',
        `the key decides in its own name, ${decider.name}; to decide as ${claimed ?? ''} takes the scope admin`,
      );
    default:
      return assertNever(decider);
  }
}
