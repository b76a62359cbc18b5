import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { countWorkflows, listWorkflows, workflowQuality } from '@spine/database';
import type { Engine } from '@spine/execution';
import { workflowRunStats } from '@spine/orchestration';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { findWorkflow, WorkflowNamePipe } from './definitions.find.ts';
import { isWorkflowName } from './definitions.schemas.ts';
import {
  toWorkflowFiguresJson,
  toWorkflowStatsJson,
  workflowFiguresJson,
  workflowStatsJson,
  workflowStatsListQuery,
  workflowStatsQuery,
} from './stats.schemas.ts';
import type {
  WorkflowFiguresJson,
  WorkflowStatsJson,
  WorkflowStatsListQuery,
  WorkflowStatsQuery,
} from './stats.schemas.ts';

const NAME = new WorkflowNamePipe();
/** Runs of one workflow that are read, the newest. */
const RUNS_OF_ONE = 20_000;
const RUNS_OF_EACH = 1_000;

@ApiTags('workflows')
@Controller('api/v1')
export class WorkflowStatsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('workflows/:name/stats')
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'What the runs of a workflow have been like',
    description: 'Of the newest 20,000 runs of the window; `window` tells whether that is all.',
    answers: { 200: { description: 'The statistics', schema: envelopeOf(workflowStatsJson) } },
    problems: ['NOT_FOUND'],
  })
  async getWorkflowStats(
    @Param('name', NAME) name: string,
    @Query({ schema: workflowStatsQuery }) { days }: WorkflowStatsQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WorkflowStatsJson>> {
    const { db } = this.engine;
    await findWorkflow(db, name);
    const scope = runScopeOf(reply.request);
    const stats = await workflowRunStats(db, [name], { days, perWorkflow: RUNS_OF_ONE, ...scope });
    const quality = await workflowQuality(db, name, { days, ...scope });
    return success(reply, toWorkflowStatsJson(stats, name, quality));
  }

  @Get('stats/workflows')
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'The figures of every workflow, by name',
    description: 'Of the newest 1,000 runs of each in the window; `window` tells whether that is all.',
    answers: { 200: { description: 'One page', schema: listOf(workflowFiguresJson) } },
  })
  async listWorkflowStats(
    @Query({ schema: workflowStatsListQuery }) query: WorkflowStatsListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<WorkflowFiguresJson>> {
    const { db } = this.engine;
    const { days, limit, offset } = query;
    const after = positionOf('workflow_stats', query, isWorkflowName) ?? '';
    const found = await listWorkflows(db, { after, limit: offset + limit + 1, archived: false });
    const names = found.slice(offset, offset + limit).map(({ name }) => name);
    const options = { days, perWorkflow: RUNS_OF_EACH, ...runScopeOf(reply.request) };
    const stats = await workflowRunStats(db, names, options);
    const last = names.at(-1);
    return list(reply, query, {
      items: names.map((name) => toWorkflowFiguresJson(stats, name)),
      total: await countWorkflows(db),
      hasMore: found.length > offset + limit,
      nextCursor: last === undefined ? null : encodeCursor('workflow_stats', last),
    });
  }
}
