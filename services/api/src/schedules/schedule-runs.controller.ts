import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { listScheduleRuns, wasScheduled } from '@spine/database';
import type { HistoryPosition, ScheduleRunRecord } from '@spine/database';
import type { Engine } from '@spine/execution';
import type { ScheduleManager } from '@spine/scheduling';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { accepted, envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { ENGINE, SCHEDULES } from '../tokens.ts';
import { scheduleBackfillJson, scheduleRunJson, toScheduleRunJson, triggeredJson } from './schedule-json.ts';
import type { ScheduleRunJson } from './schedule-json.ts';
import {
  backfillBody,
  previewBody,
  previewJson,
  scheduleRunListQuery,
  timingInput,
} from './schedule.schemas.ts';
import type { BackfillBody, PreviewBody, ScheduleRunListQuery } from './schedule.schemas.ts';

const SCHEDULE_ID = new IdPipe('schedule');
const LIST = 'schedule-runs';

@ApiTags('schedules')
@Controller('api/v1/schedules')
export class ScheduleRunsController {
  constructor(
    @Inject(SCHEDULES) private readonly schedules: ScheduleManager,
    @Inject(ENGINE) private readonly engine: Engine,
  ) {}

  @Post('preview')
  @HttpCode(200)
  @Operation({
    scope: 'read',
    summary: 'The next times of a schedule that need not exist',
    answers: { 200: { description: 'The times, soonest first', schema: envelopeOf(previewJson) } },
    problems: ['UNSUPPORTED_MEDIA_TYPE'],
  })
  async previewSchedule(
    @Body({ schema: previewBody }) body: PreviewBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof previewJson>>> {
    const { after, count, ...timing } = body;
    const times = await this.schedules.preview(
      timingInput(timing),
      count,
      after === undefined ? undefined : new Date(after),
    );
    return success(reply, { fire_times: times.map((time) => time.toISOString()) });
  }

  @Get(':schedule_id/runs')
  @Operation({
    scope: 'read',
    summary: 'What became of a schedule’s occurrences, newest first',
    description: 'Also of a schedule that was deleted.',
    answers: { 200: { description: 'One page', schema: listOf(scheduleRunJson) } },
    problems: ['NOT_FOUND'],
  })
  async listScheduleRuns(
    @Param('schedule_id', SCHEDULE_ID) scheduleId: string,
    @Query({ schema: scheduleRunListQuery }) query: ScheduleRunListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<ScheduleRunJson>> {
    const { limit, offset, status, since, until } = query;
    if (offset > 0)
      throw invalid([
        { field: 'offset', code: 'not_supported', message: 'page with cursor: the history grows' },
      ]);
    const position = positionOf(LIST, query, (text) => parsePosition(text) !== null);
    const before = position === undefined ? undefined : (parsePosition(position) ?? undefined);
    const { runs, hasMore } = await listScheduleRuns(
      this.engine.db,
      { scheduleId, status, since, until },
      { limit, before },
    );
    if (runs.length === 0 && !(await wasScheduled(this.engine.db, scheduleId)))
      throw notFound('schedule', scheduleId);
    const last = runs.at(-1);
    return list(reply, query, {
      items: runs.map(toScheduleRunJson),
      total: runs.length,
      totalIsCapped: hasMore || before !== undefined,
      hasMore,
      nextCursor: last === undefined ? null : encodeCursor(LIST, positionText(last)),
    });
  }

  @Post(':schedule_id/trigger')
  @HttpCode(202)
  @ApiBody({ required: false })
  @Operation({
    scope: 'submit',
    summary: 'Start a run now',
    description: 'Whatever its times are, and also while it is paused; its times stay as they are.',
    answers: { 202: { description: 'The run', schema: envelopeOf(triggeredJson) } },
    problems: ['NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async triggerSchedule(
    @Param('schedule_id', SCHEDULE_ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof triggeredJson>>> {
    const started = await this.schedules.trigger(id, actorOf(reply.request));
    if (started === null) throw notFound('schedule', id);
    const { runId, fireAt } = started;
    const data = { schedule_id: id, run_id: runId, fire_at: fireAt.toISOString() };
    return accepted(reply, data, `/api/v1/runs/${runId}`);
  }

  @Post(':schedule_id/backfill')
  @HttpCode(202)
  @Operation({
    scope: 'operate',
    summary: 'Start the occurrences of a past range that have not fired',
    description: 'In the lane for what is made up for, oldest first, so many at a time.',
    answers: { 202: { description: 'What started', schema: envelopeOf(scheduleBackfillJson) } },
    problems: ['NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async backfillSchedule(
    @Param('schedule_id', SCHEDULE_ID) id: string,
    @Body({ schema: backfillBody }) body: BackfillBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof scheduleBackfillJson>>> {
    const result = await this.schedules.backfill(id, {
      from: new Date(body.from),
      to: new Date(body.to),
      maxConcurrency: body.max_concurrency,
      dryRun: body.dry_run,
      by: actorOf(reply.request),
    });
    if (result === null) throw notFound('schedule', id);
    auditChange(reply.request, { touched: result.started.length });
    return success(reply, {
      schedule_id: id,
      occurrences: result.occurrences,
      already_fired: result.alreadyFired,
      dry_run: body.dry_run === true,
      started: result.started.map(({ fireAt, runId }) => ({ fire_at: fireAt.toISOString(), run_id: runId })),
    });
  }
}

function positionText({ fireAt, origin }: ScheduleRunRecord): string {
  return `${fireAt.toISOString()} ${origin}`;
}

function parsePosition(text: string): HistoryPosition | null {
  const [time = '', origin = ''] = text.split(' ');
  const fireAt = new Date(time);
  if (Number.isNaN(fireAt.getTime())) return null;
  if (origin !== 'schedule' && origin !== 'manual' && origin !== 'backfill') return null;
  return { fireAt, origin };
}
