import { Body, Controller, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { assertNever } from '@spine/core';
import type { Engine } from '@spine/execution';
import {
  DefinitionVersions,
  forkWorkflowRun,
  modificationFromJson,
  modifyWorkflowRun,
  replayStep,
} from '@spine/orchestration';
import type { ForkOutcome, ForkServices, ModifyServices } from '@spine/orchestration';
import { actorOf } from '../auth/principal.ts';
import { accepted, envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { HttpProblem, invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  forkBody,
  forkedJson,
  modifiedJson,
  modifyBody,
  replayBody,
  replayedJson,
} from './operate.schemas.ts';
import type {
  ForkBody,
  ForkedJson,
  ModifiedJson,
  ModifyBody,
  ReplayBody,
  ReplayedJson,
} from './operate.schemas.ts';
import { notBegun } from './workflow-problems.ts';

const RUN_ID = new IdPipe('run');

@ApiTags('runs')
@Controller('api/v1/runs')
export class WorkflowOperateController {
  readonly #services: ForkServices & ModifyServices;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#services = { ...engine, definitions: new DefinitionVersions() };
  }

  @Post(':run_id/fork')
  @HttpCode(202)
  @Operation({
    scope: 'submit',
    confinement: 'run',
    summary: 'Begin a new run in the middle of a workflow run',
    description:
      'What had completed before the step, and has nothing to do with it, is taken over; the rest runs. The other run stays as it is, and goes on if it has not ended.',
    answers: { 202: { description: 'A new run', schema: envelopeOf(forkedJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  async forkRun(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: forkBody }) body: ForkBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ForkedJson>> {
    const outcome = await forkWorkflowRun(this.#services, runId, {
      fromStep: body.from_step,
      params: body.params,
      reason: body.reason,
      by: actorOf(reply.request),
    });
    const forked = forkedOf(outcome, runId);
    const { warnings } = forked;
    return accepted(
      reply,
      toForkedJson(runId, body.from_step, forked),
      `/api/v1/runs/${forked.runId}`,
      warnings,
    );
  }

  @Post(':run_id/steps/:step/replay')
  @HttpCode(202)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Run a step of a workflow run again',
    description:
      'Of a run that has ended: a fork from that step, so that what depends on it runs again too. Of a run under way: the run itself does the step again; what depends on it and has begun is not taken back.',
    answers: { 202: { description: 'It runs again', schema: envelopeOf(replayedJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async replayStep(
    @Param('run_id', RUN_ID) runId: string,
    @Param('step') step: string,
    @Body({ schema: replayBody }) body: ReplayBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ReplayedJson>> {
    const request = { step, by: actorOf(reply.request), reason: body?.reason };
    const outcome = await replayStep(this.#services, runId, request);
    switch (outcome.type) {
      case 'told':
        return accepted(reply, { mode: 'retried', run_id: runId, step }, `/api/v1/runs/${runId}/workflow`);
      case 'refused':
        throw new HttpProblem('CONFLICT', `step ${step} of run ${runId} cannot run again: ${outcome.reason}`);
      case 'forked':
      case 'not_found':
      case 'not_begun':
      case 'unknown_step':
      case 'invalid': {
        const forked = forkedOf(outcome, runId);
        const data = { ...toForkedJson(runId, step, forked), mode: 'forked' } as const;
        return accepted(reply, data, `/api/v1/runs/${forked.runId}`, forked.warnings);
      }
      default:
        return assertNever(outcome);
    }
  }

  @Post(':run_id/modify')
  @HttpCode(202)
  @Operation({
    scope: 'operate',
    confinement: 'run',
    summary: 'Change the plan of a workflow run that is under way',
    description:
      'Only what has not begun is moved. It is recorded as an event of the run, so that a replay makes it again.',
    answers: {
      202: { description: 'Told', schema: envelopeOf(modifiedJson) },
      200: { description: 'A dry run: it could be done', schema: envelopeOf(modifiedJson) },
    },
    problems: ['NOT_FOUND', 'CONFLICT', 'ALREADY_COMPLETE', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  async modifyRun(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: modifyBody }) body: ModifyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ModifiedJson>> {
    const outcome = await modifyWorkflowRun(this.#services, runId, {
      modification: modificationFromJson(body.modification),
      by: actorOf(reply.request),
      reason: body.reason,
      dryRun: body.dry_run,
    });
    switch (outcome.type) {
      case 'told':
      case 'would_tell': {
        const told = outcome.type === 'told';
        if (!told) void reply.code(200);
        return success(reply, { run_id: runId, told, suspended: outcome.suspended });
      }
      case 'refused':
        throw new HttpProblem('CONFLICT', `run ${runId} cannot be changed like that: ${outcome.reason}`);
      case 'missing_handlers':
        throw invalid([
          {
            field: 'modification.step',
            code: 'missing_handler',
            message: `names what no live worker knows: ${outcome.handlers.join(', ')}`,
          },
        ]);
      case 'ended': {
        const code = outcome.status === 'completed' ? 'ALREADY_COMPLETE' : 'CONFLICT';
        throw new HttpProblem(code, `run ${runId} is ${outcome.status}; fork it to run steps of it again`);
      }
      case 'not_found':
        throw notFound('run', runId);
      case 'not_begun':
        throw notBegun(outcome.run);
      default:
        return assertNever(outcome);
    }
  }
}

type Forked = Extract<ForkOutcome, { type: 'forked' }>;

/** The new run. @throws HttpProblem where there is none. */
function forkedOf(
  outcome: ForkOutcome | { readonly type: 'invalid'; readonly reason: string },
  runId: string,
): Forked {
  switch (outcome.type) {
    case 'forked':
      return outcome;
    case 'not_found':
      throw notFound('run', runId);
    case 'not_begun':
      throw notBegun(outcome.run);
    case 'unknown_step':
      throw new HttpProblem('NOT_FOUND', `run ${runId}: ${outcome.reason}`);
    case 'invalid':
      throw 'reason' in outcome
        ? new HttpProblem('CONFLICT', `run ${runId} cannot be forked: ${outcome.reason}`)
        : invalid(outcome.issues);
    default:
      return assertNever(outcome);
  }
}

function toForkedJson(forkedFrom: string, fromStep: string, forked: Forked): ForkedJson {
  return {
    run_id: forked.runId,
    forked_from: forkedFrom,
    from_step: fromStep,
    taken_over: [...forked.takenOver],
  };
}
