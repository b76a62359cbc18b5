import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { assertNever } from '@spine/core';
import { getWorkflowRun, listWorkflowHistory } from '@spine/database';
import type { Engine } from '@spine/execution';
import {
  DefinitionVersions,
  inspectItems,
  INSPECT_LIMITS,
  inspectWorkflowRun,
  queryWorkflowRun,
  recordWorkflowRun,
  WORKFLOW_LIMITS,
} from '@spine/orchestration';
import type { InspectServices } from '@spine/orchestration';
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
import { found, mustBeWorkflow } from './workflow-problems.ts';
import {
  historyEventJson,
  historyQuery,
  itemListQuery,
  toHistoryEventJson,
  toItemJson,
  workflowItemJson,
} from './inspect-history.schemas.ts';
import type { HistoryQuery, ItemListQuery } from './inspect-history.schemas.ts';
import {
  queryAnswerJson,
  recordingAnswer,
  toQueryAnswerJson,
  workflowQueryBody,
} from './inspect-query.schemas.ts';
import type { WorkflowQueryBody } from './inspect-query.schemas.ts';
import { toWorkflowViewJson, workflowViewJson, workflowViewQuery } from './inspect.schemas.ts';
import type { WorkflowViewJson, WorkflowViewQuery } from './inspect.schemas.ts';

const RUN_ID = new IdPipe('run');

const INTERVENTIONS = {
  modified: 'the run was changed from outside',
  cancelled: 'the run was cancelled',
  attempt_timed_out: 'an attempt took too long',
  run_timed_out: 'the run took too long',
} as const;

@ApiTags('runs')
@Controller('api/v1/runs')
export class WorkflowInspectController {
  readonly #services: InspectServices;

  constructor(@Inject(ENGINE) private readonly engine: Engine) {
    this.#services = { db: engine.db, definitions: new DefinitionVersions() };
  }

  @Get(':run_id/workflow')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'Show where a workflow run is',
    description:
      'Steps with what each of them waits for, open questions, timers and signals: one moment of the run, which is not touched.',
    answers: { 200: { description: 'The run', schema: envelopeOf(workflowViewJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async showWorkflow(
    @Param('run_id', RUN_ID) runId: string,
    @Query({ schema: workflowViewQuery }) query: WorkflowViewQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkflowViewJson>> {
    const after = positionOf('workflow_steps', { ...query, offset: 0 }, isStepName) ?? null;
    const { limit, format } = query;
    const view = found(
      await inspectWorkflowRun(this.#services, runId, { after, limit, picture: format }),
      runId,
    );
    const next = view.nextAfter === null ? null : encodeCursor('workflow_steps', view.nextAfter);
    const links =
      next === null ? [] : [{ rel: 'next', href: `/api/v1/runs/${runId}/workflow?cursor=${next}` }];
    return success(reply, toWorkflowViewJson(view, next), { links });
  }

  @Get(':run_id/history')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'List what a workflow run was told, oldest first',
    description:
      'The same events give the same state again. What came from outside and counted for nothing says why in `ignored`.',
    answers: { 200: { description: 'One page', schema: listOf(historyEventJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async listHistory(
    @Param('run_id', RUN_ID) runId: string,
    @Query({ schema: historyQuery }) query: HistoryQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof historyEventJson>>> {
    const after = Number(positionOf('history', query, (text) => /^\d{1,15}$/.test(text)) ?? 0);
    const record = await getWorkflowRun(this.engine.db, runId);
    if (record === null) throw await mustBeWorkflow(this.engine, runId);
    const { items, hasMore } = await listWorkflowHistory(this.engine.db, runId, {
      ...query,
      after,
      maxBytes: INSPECT_LIMITS.valueBytes,
    });
    const last = items.at(-1);
    return list(reply, query, {
      items: items.map(toHistoryEventJson),
      total: record.seq,
      hasMore,
      nextCursor: last === undefined ? null : encodeCursor('history', String(last.no)),
    });
  }

  @Get(':run_id/steps/:step/items')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'List the items of a map of a workflow run',
    answers: { 200: { description: 'One page', schema: listOf(workflowItemJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async listItems(
    @Param('run_id', RUN_ID) runId: string,
    @Param('step') step: string,
    @Query({ schema: itemListQuery }) query: ItemListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof workflowItemJson>>> {
    const { limit, offset } = query;
    if (!isStepName(step)) throw notFound('step', step);
    const page = found(await inspectItems(this.#services, runId, step, { from: offset, limit }), runId);
    if (page.count === null) {
      throw new HttpProblem(
        'CONFLICT',
        `step ${step} of run ${runId} has no items: it is no map, or has not begun`,
      );
    }
    return list(reply, query, {
      items: page.items.map(toItemJson),
      total: page.count,
      hasMore: offset + page.items.length < page.count,
      nextCursor: null,
    });
  }

  @Post(':run_id/query')
  @HttpCode(200)
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'Ask a workflow run something',
    description: '`state`, `context`, `outputs`, `step` or `signals`, answered from one moment of the run.',
    answers: { 200: { description: 'The answer', schema: envelopeOf(queryAnswerJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  async queryWorkflow(
    @Param('run_id', RUN_ID) runId: string,
    @Body({ schema: workflowQueryBody }) body: WorkflowQueryBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof queryAnswerJson>>> {
    const answer = found(await queryWorkflowRun(this.#services, runId, body), runId);
    if (answer.name === 'unknown_step') throw notFound('step', answer.step);
    return success(reply, toQueryAnswerJson(runId, answer));
  }

  @Get(':run_id/recording')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'Get the recording of a workflow run that has ended',
    description:
      'Every call with its params and answer, for `replayRecording`. What was done to the run from outside is told as a warning: a replay differs there.',
    answers: { 200: { description: 'The recording', schema: envelopeOf(recordingAnswer) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'PAYLOAD_TOO_LARGE'],
  })
  async getRecording(
    @Param('run_id', RUN_ID) runId: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof recordingAnswer>>> {
    const outcome = await recordWorkflowRun(this.#services, runId);
    switch (outcome.type) {
      case 'recorded': {
        const warnings = outcome.interventions.map((each) => INTERVENTIONS[each]);
        return success(reply, { ...outcome.recording }, { warnings });
      }
      case 'not_ended':
        throw new HttpProblem(
          'CONFLICT',
          `run ${runId} is ${outcome.run.status}; a recording is of a run that has ended`,
        );
      case 'incomplete':
        throw new HttpProblem('CONFLICT', `run ${runId} cannot be recorded: ${outcome.reason}`);
      case 'too_large':
        throw new HttpProblem(
          'PAYLOAD_TOO_LARGE',
          `the history of run ${runId} is too large for a recording: more than ${outcome.events} events or ${outcome.bytes} bytes`,
        );
      case 'not_found':
      case 'not_begun':
        return found(outcome, runId);
      default:
        return assertNever(outcome);
    }
  }
}

function isStepName(text: string): boolean {
  return WORKFLOW_LIMITS.stepName.test(text);
}
