import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  dashboardJson,
  ExecutionRepository,
  handlerWindowStatsJson,
  queueStateJson,
  Recent,
  timelineJson,
  toDashboardJson,
  toHandlerWindowStatsJson,
  toQueueStateJson,
  toTimelineJson,
  toWindowStatsJson,
  toWorkerJson,
  windowStatsJson,
  workerJson,
} from '@spine/execution';
import type {
  Dashboard,
  DashboardJson,
  Engine,
  HandlerWindowStatsJson,
  QueueStateJson,
  TimelineJson,
  WindowStatsJson,
  WorkerJson,
} from '@spine/execution';
import { runScopeOf } from '../auth/run-scope.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { pageOf } from './in-memory-page.ts';
import { historyQuery, LARGE_BACKLOG, pageQuery, windowQuery } from './stats.schemas.ts';
import type { HistoryQuery, PageQuery, WindowQuery } from './stats.schemas.ts';

/** However many look at the dashboard, the database is asked this seldom. */
const DASHBOARD_MAX_AGE_MS = 2_000;

@ApiTags('stats')
@Controller('api/v1/stats')
export class StatsController {
  readonly #ledger: ExecutionRepository;
  readonly #dashboard: Recent<Dashboard>;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#ledger = new ExecutionRepository(engine.db);
    this.#dashboard = new Recent(() => this.#ledger.dashboard(), { maxAgeMs: DASHBOARD_MAX_AGE_MS });
  }

  @Get('runs')
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'Count runs by status, with success rate and percentiles',
    description:
      'Of the runs submitted in the window, the newest 100,000; `window` tells whether that is all.',
    answers: { 200: { description: 'The statistics', schema: envelopeOf(windowStatsJson) } },
  })
  async getRunStats(
    @Query({ schema: windowQuery }) query: WindowQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<WindowStatsJson>> {
    return success(
      reply,
      toWindowStatsJson(await this.#ledger.stats(query.hours, runScopeOf(reply.request).namespace)),
    );
  }

  @Get('runs/history')
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'Count runs bucket by bucket',
    description:
      'What was submitted and what ended in each bucket, empty buckets included. Of what ended, runs submitted more than a day before the window are not found.',
    answers: { 200: { description: 'The buckets', schema: envelopeOf(timelineJson) } },
  })
  async getRunHistory(
    @Query({ schema: historyQuery }) query: HistoryQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<TimelineJson>> {
    const { namespace } = runScopeOf(reply.request);
    const timeline = await this.#ledger.timeline(query.hours, query.bucket_minutes, namespace);
    return success(reply, toTimelineJson(timeline));
  }

  @Get('handlers')
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'The same as for all runs, by handler',
    answers: { 200: { description: 'The statistics', schema: envelopeOf(handlerWindowStatsJson) } },
  })
  async getHandlerStats(
    @Query({ schema: windowQuery }) query: WindowQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<HandlerWindowStatsJson>> {
    const { namespace } = runScopeOf(reply.request);
    return success(reply, toHandlerWindowStatsJson(await this.#ledger.handlerStats(query.hours, namespace)));
  }

  @Get('queues')
  @Operation({
    scope: 'read',
    summary: 'What waits and runs, lane by lane',
    description: LARGE_BACKLOG,
    answers: { 200: { description: 'One page, by name', schema: listOf(queueStateJson) } },
  })
  async getQueueStats(
    @Query({ schema: pageQuery }) query: PageQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<QueueStateJson>> {
    return list(reply, query, pageOf(query, await this.#ledger.queues(), toQueueStateJson));
  }

  @Get('workers')
  @Operation({
    scope: 'read',
    summary: 'Workers heard of in the last day, those heard of last first',
    answers: { 200: { description: 'One page', schema: listOf(workerJson) } },
  })
  async getWorkerStats(
    @Query({ schema: pageQuery }) query: PageQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<WorkerJson>> {
    return list(reply, query, pageOf(query, await this.#ledger.workers(), toWorkerJson));
  }

  @Get('dashboard')
  @Operation({
    scope: 'read',
    summary: 'Health and the most important figures at a glance',
    description:
      'At most two seconds old. Of the runs of the last 24 hours the newest 20,000 are counted: `runs.window` tells whether that is all.',
    answers: { 200: { description: 'The dashboard', schema: envelopeOf(dashboardJson) } },
  })
  async getDashboard(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<DashboardJson>> {
    return success(reply, toDashboardJson(await this.#dashboard.get()));
  }
}
