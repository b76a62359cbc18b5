import { Body, Controller, Delete, Get, Inject, Param, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  deleteExpectedSchedule,
  getExpectedSchedule,
  listExpectedSchedules,
  putExpectedSchedule,
} from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  expectedScheduleJson,
  scheduleBody,
  scheduleFromJson,
  scheduleListQuery,
  toExpectedScheduleJson,
} from './expected-schedules.schemas.ts';
import type { ExpectedScheduleJson, ScheduleBody, ScheduleListQuery } from './expected-schedules.schemas.ts';
import { LedgerNamePipe } from './partition-key.schemas.ts';

const DOMAIN = new LedgerNamePipe('domain');
const WORKFLOW = new LedgerNamePipe('workflow');

@ApiTags('expected schedules')
@Controller('api/v1/expected-schedules')
export class ExpectedSchedulesController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List expected schedules by domain and workflow',
    answers: { 200: { description: 'One page', schema: listOf(expectedScheduleJson) } },
  })
  async listExpectedSchedules(
    @Query({ schema: scheduleListQuery }) query: ScheduleListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<ExpectedScheduleJson>> {
    const { domain, active } = query;
    const found = await listExpectedSchedules(
      this.engine.db,
      { ...(domain === undefined ? {} : { domain }), ...(active === undefined ? {} : { active }) },
      query,
    );
    return list(reply, query, { ...found, items: found.items.map(toExpectedScheduleJson), nextCursor: null });
  }

  @Get(':domain/:workflow')
  @Operation({
    scope: 'read',
    summary: 'Get an expected schedule',
    answers: { 200: { description: 'The schedule', schema: envelopeOf(expectedScheduleJson) } },
    problems: ['NOT_FOUND'],
  })
  async getExpectedSchedule(
    @Param('domain', DOMAIN) domain: string,
    @Param('workflow', WORKFLOW) workflow: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ExpectedScheduleJson>> {
    const schedule = await getExpectedSchedule(this.engine.db, domain, workflow);
    if (schedule === null) throw notFound('expected schedule', `${domain}/${workflow}`);
    return success(reply, toExpectedScheduleJson(schedule));
  }

  @Put(':domain/:workflow')
  @Operation({
    scope: 'operate',
    summary: 'Say what should exist, and when',
    description: 'Takes the place of what the domain’s workflow had before.',
    answers: { 200: { description: 'Stored', schema: envelopeOf(expectedScheduleJson) } },
    problems: ['NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async putExpectedSchedule(
    @Param('domain', DOMAIN) domain: string,
    @Param('workflow', WORKFLOW) workflow: string,
    @Body({ schema: scheduleBody }) body: ScheduleBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ExpectedScheduleJson>> {
    const { db } = this.engine;
    const before = await getExpectedSchedule(db, domain, workflow);
    const after = toExpectedScheduleJson(
      await putExpectedSchedule(db, scheduleFromJson(domain, workflow, body)),
    );
    auditChange(reply.request, {
      ...(before === null ? {} : { before: toExpectedScheduleJson(before) }),
      after,
    });
    return success(reply, after);
  }

  @Delete(':domain/:workflow')
  @Operation({
    scope: 'operate',
    summary: 'Expect nothing of a workflow any more',
    answers: { 200: { description: 'As it was', schema: envelopeOf(expectedScheduleJson) } },
    problems: ['NOT_FOUND'],
  })
  async deleteExpectedSchedule(
    @Param('domain', DOMAIN) domain: string,
    @Param('workflow', WORKFLOW) workflow: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ExpectedScheduleJson>> {
    const { db } = this.engine;
    const schedule = await getExpectedSchedule(db, domain, workflow);
    if (schedule === null || !(await deleteExpectedSchedule(db, domain, workflow))) {
      throw notFound('expected schedule', `${domain}/${workflow}`);
    }
    const before = toExpectedScheduleJson(schedule);
    auditChange(reply.request, { before });
    return success(reply, before);
  }
}
