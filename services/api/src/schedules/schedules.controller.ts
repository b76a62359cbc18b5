import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Post,
  Put,
  Query,
  Res,
} from '@nestjs/common';
import { ApiBody, ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { assertNever } from '@spine/core';
import { getSchedule, listSchedules } from '@spine/database';
import type { ScheduleRecord, ScheduleWrite } from '@spine/database';
import type { Engine } from '@spine/execution';
import type { ScheduleManager, StateChange } from '@spine/scheduling';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { versionOf } from '../http/if-match.ts';
import { HttpProblem, invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { ENGINE, SCHEDULES } from '../tokens.ts';
import { scheduleJson, toScheduleJson } from './schedule-json.ts';
import type { ScheduleJson } from './schedule-json.ts';
import { scheduleBody, scheduleInput, scheduleListQuery } from './schedule.schemas.ts';
import type { ScheduleBody, ScheduleListQuery } from './schedule.schemas.ts';
import { targetWarnings } from './work-fields.ts';

const SCHEDULE_ID = new IdPipe('schedule');

@ApiTags('schedules')
@Controller('api/v1/schedules')
export class SchedulesController {
  constructor(
    @Inject(SCHEDULES) private readonly schedules: ScheduleManager,
    @Inject(ENGINE) private readonly engine: Engine,
  ) {}

  @Post()
  @HttpCode(201)
  @Operation({
    scope: 'operate',
    summary: 'Create a schedule',
    answers: { 201: { description: 'The schedule', schema: envelopeOf(scheduleJson) } },
    problems: ['CONFLICT', 'QUOTA_EXCEEDED', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async createSchedule(
    @Body({ schema: scheduleBody }) body: ScheduleBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ScheduleJson>> {
    const warnings = await targetWarnings(this.engine, body);
    const written = await this.schedules.create(scheduleInput(body), {
      by: actorOf(reply.request),
      paused: body.paused === true,
    });
    const schedule = writtenOf(written, body.name);
    auditChange(reply.request, { after: toScheduleJson(schedule) });
    void reply.header('location', `/api/v1/schedules/${schedule.scheduleId}`);
    return this.#answer(reply, schedule, warnings);
  }

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List schedules by name',
    answers: { 200: { description: 'One page', schema: listOf(scheduleJson) } },
  })
  async listSchedules(
    @Query({ schema: scheduleListQuery }) query: ScheduleListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<ScheduleJson>> {
    const { state, target_type: targetKind, target_name: targetName } = query;
    const found = await listSchedules(this.engine.db, { state, targetKind, targetName }, query);
    return list(reply, query, { ...found, items: found.schedules.map(toScheduleJson), nextCursor: null });
  }

  @Get(':schedule_id')
  @Operation({
    scope: 'read',
    summary: 'Get a schedule',
    answers: { 200: { description: 'The schedule', schema: envelopeOf(scheduleJson) } },
    problems: ['NOT_FOUND'],
  })
  async getSchedule(
    @Param('schedule_id', SCHEDULE_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ScheduleJson>> {
    return this.#answer(reply, await this.#find(id));
  }

  @Put(':schedule_id')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The version that is to be changed.' })
  @Operation({
    scope: 'operate',
    summary: 'Replace a schedule',
    description:
      'Its next time is counted anew from now; a paused one stays paused. With If-Match only the version named is replaced.',
    answers: { 200: { description: 'The schedule', schema: envelopeOf(scheduleJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'QUOTA_EXCEEDED', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async replaceSchedule(
    @Param('schedule_id', SCHEDULE_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: scheduleBody }) body: ScheduleBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ScheduleJson>> {
    const { paused, ...rest } = body;
    if (paused !== undefined)
      throw invalid([
        {
          field: 'paused',
          code: 'not_allowed',
          message: 'is said when it is created; use /pause and /resume',
        },
      ]);
    const before = await this.#find(id);
    const version = versionOf(ifMatch) ?? before.version;
    const written = await this.schedules.change(id, version, scheduleInput(rest));
    if (written.type === 'not_found') throw notFound('schedule', id);
    const after = writtenOf(written, body.name);
    auditChange(reply.request, { before: toScheduleJson(before), after: toScheduleJson(after) });
    return this.#answer(reply, after, await targetWarnings(this.engine, body));
  }

  @Delete(':schedule_id')
  @Operation({
    scope: 'operate',
    summary: 'Delete a schedule',
    description: 'It fires no more and its name is free; its history stays. Runs it has started go on.',
    answers: { 200: { description: 'The schedule as it was', schema: envelopeOf(scheduleJson) } },
    problems: ['NOT_FOUND'],
  })
  async deleteSchedule(
    @Param('schedule_id', SCHEDULE_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ScheduleJson>> {
    const deleted = await this.schedules.delete(id);
    if (deleted === null) throw notFound('schedule', id);
    auditChange(reply.request, { before: toScheduleJson(deleted) });
    return success(reply, toScheduleJson(deleted));
  }

  @Post(':schedule_id/pause')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Let nothing fire until it is resumed',
    answers: { 200: { description: 'The schedule', schema: envelopeOf(scheduleJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async pauseSchedule(
    @Param('schedule_id', SCHEDULE_ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ScheduleJson>> {
    return this.#moved(reply, changed(await this.schedules.pause(id), id), 'active');
  }

  @Post(':schedule_id/resume')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Let a paused schedule fire again, from now on',
    answers: { 200: { description: 'The schedule', schema: envelopeOf(scheduleJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'QUOTA_EXCEEDED', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resumeSchedule(
    @Param('schedule_id', SCHEDULE_ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ScheduleJson>> {
    return this.#moved(reply, changed(await this.schedules.resume(id), id), 'paused');
  }

  #moved(reply: FastifyReply, schedule: ScheduleRecord, from: string): Envelope<ScheduleJson> {
    auditChange(reply.request, { before: { state: from }, after: { state: schedule.state } });
    return this.#answer(reply, schedule);
  }

  #answer(
    reply: FastifyReply,
    schedule: ScheduleRecord,
    warnings: readonly string[] = [],
  ): Envelope<ScheduleJson> {
    void reply.header('etag', `"${schedule.version}"`);
    return success(reply, toScheduleJson(schedule), { warnings });
  }

  async #find(id: string): Promise<ScheduleRecord> {
    const schedule = await getSchedule(this.engine.db, id);
    if (schedule === null) throw notFound('schedule', id);
    return schedule;
  }
}

function writtenOf(written: ScheduleWrite, name: string): ScheduleRecord {
  switch (written.type) {
    case 'written':
      return written.schedule;
    case 'name_taken':
      throw new HttpProblem('CONFLICT', `there is a schedule of the name ${JSON.stringify(name)} already`, {
        errors: [{ field: 'name', code: 'taken', message: 'is the name of another schedule' }],
      });
    case 'over_quota':
      throw overQuota(written.quota);
    case 'stale':
      throw new HttpProblem(
        'CONFLICT',
        `the schedule is at version ${written.schedule.version} by now; read it again`,
      );
    case 'not_found':
      throw notFound('schedule', name);
    default:
      return assertNever(written);
  }
}

function changed(change: StateChange, id: string): ScheduleRecord {
  switch (change.type) {
    case 'changed':
      return change.schedule;
    case 'unchanged':
      throw new HttpProblem('CONFLICT', `schedule ${id} is ${change.schedule.state}`);
    case 'over_quota':
      throw overQuota(change.quota);
    case 'not_found':
      throw notFound('schedule', id);
    default:
      return assertNever(change);
  }
}

function overQuota(quota: number): HttpProblem {
  return new HttpProblem(
    'QUOTA_EXCEEDED',
    `${quota} active schedules may fire more often than once a minute, and there are as many; fire less often or pause another`,
    { errors: [{ field: 'schedule_type', code: 'quota', message: 'fires more often than once a minute' }] },
  );
}
