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
import {
  changeTrigger,
  createTrigger,
  deleteTrigger,
  getTrigger,
  listDeliveries,
  listTriggers,
  wasTrigger,
} from '@spine/database';
import type { TriggerRecord } from '@spine/database';
import type { Engine } from '@spine/execution';
import { defineTrigger } from '@spine/scheduling';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { versionOf } from '../http/if-match.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { targetWarnings } from '../schedules/work-fields.ts';
import { ENGINE } from '../tokens.ts';
import {
  deliveryJson,
  deliveryListQuery,
  toDeliveryJson,
  toTriggerJson,
  triggerBody,
  triggerInput,
  triggerJson,
  triggerListQuery,
} from './trigger.schemas.ts';
import type {
  DeliveryJson,
  DeliveryListQuery,
  TriggerBody,
  TriggerJson,
  TriggerListQuery,
} from './trigger.schemas.ts';
import { writtenOf } from './written.ts';

const TRIGGER_ID = new IdPipe('trigger');
const LIST = 'deliveries';

@ApiTags('triggers')
@Controller('api/v1/triggers')
export class TriggersController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post()
  @HttpCode(201)
  @Operation({
    scope: 'operate',
    summary: 'Create a trigger',
    answers: { 201: { description: 'The trigger', schema: envelopeOf(triggerJson) } },
    problems: ['CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async createTrigger(
    @Body({ schema: triggerBody }) body: TriggerBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<TriggerJson>> {
    const by = actorOf(reply.request);
    const written = await createTrigger(this.engine.db, defineTrigger(triggerInput(body)), by);
    const trigger = writtenOf(written, body.name);
    auditChange(reply.request, { after: toTriggerJson(trigger) });
    const warnings = await targetWarnings(this.engine, body);
    void reply.header('location', `/api/v1/triggers/${trigger.triggerId}`);
    return this.#answer(reply, trigger, warnings);
  }

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List triggers by name',
    answers: { 200: { description: 'One page', schema: listOf(triggerJson) } },
  })
  async listTriggers(
    @Query({ schema: triggerListQuery }) query: TriggerListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<TriggerJson>> {
    const found = await listTriggers(this.engine.db, query, query);
    return list(reply, query, { ...found, items: found.triggers.map(toTriggerJson), nextCursor: null });
  }

  @Get(':trigger_id')
  @Operation({
    scope: 'read',
    summary: 'Get a trigger',
    answers: { 200: { description: 'The trigger', schema: envelopeOf(triggerJson) } },
    problems: ['NOT_FOUND'],
  })
  async getTrigger(
    @Param('trigger_id', TRIGGER_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<TriggerJson>> {
    return this.#answer(reply, await this.#find(id));
  }

  @Put(':trigger_id')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The version that is to be changed.' })
  @Operation({
    scope: 'operate',
    summary: 'Replace a trigger',
    answers: { 200: { description: 'The trigger', schema: envelopeOf(triggerJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async replaceTrigger(
    @Param('trigger_id', TRIGGER_ID) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Body({ schema: triggerBody }) body: TriggerBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<TriggerJson>> {
    const current = await this.#find(id);
    const definition = defineTrigger(triggerInput(body));
    const state = current.state === 'paused' ? 'paused' : 'active';
    const version = versionOf(ifMatch) ?? current.version;
    const written = await changeTrigger(this.engine.db, id, version, { definition, state });
    const after = writtenOf(written, id);
    auditChange(reply.request, { before: toTriggerJson(current), after: toTriggerJson(after) });
    return this.#answer(reply, after, await targetWarnings(this.engine, body));
  }

  @Delete(':trigger_id')
  @Operation({
    scope: 'operate',
    summary: 'Delete a trigger',
    description: 'It starts nothing more and its name is free; its deliveries stay.',
    answers: { 200: { description: 'The trigger as it was', schema: envelopeOf(triggerJson) } },
    problems: ['NOT_FOUND'],
  })
  async deleteTrigger(
    @Param('trigger_id', TRIGGER_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<TriggerJson>> {
    const deleted = await deleteTrigger(this.engine.db, id);
    if (deleted === null) throw notFound('trigger', id);
    auditChange(reply.request, { before: toTriggerJson(deleted) });
    return success(reply, toTriggerJson(deleted));
  }

  @Post(':trigger_id/pause')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Let a trigger start nothing until it is resumed',
    description: 'What happens meanwhile starts nothing later either.',
    answers: { 200: { description: 'The trigger', schema: envelopeOf(triggerJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async pauseTrigger(
    @Param('trigger_id', TRIGGER_ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<TriggerJson>> {
    return this.#answer(reply, await this.#setState(reply, id, 'paused'));
  }

  @Post(':trigger_id/resume')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Let a paused trigger start runs again',
    answers: { 200: { description: 'The trigger', schema: envelopeOf(triggerJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resumeTrigger(
    @Param('trigger_id', TRIGGER_ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<TriggerJson>> {
    return this.#answer(reply, await this.#setState(reply, id, 'active'));
  }

  @Get(':trigger_id/deliveries')
  @Operation({
    scope: 'read',
    summary: 'What a trigger made of its events, newest first',
    description: 'Also of a trigger that was deleted.',
    answers: { 200: { description: 'One page', schema: listOf(deliveryJson) } },
    problems: ['NOT_FOUND'],
  })
  async listDeliveries(
    @Param('trigger_id', TRIGGER_ID) triggerId: string,
    @Query({ schema: deliveryListQuery }) query: DeliveryListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<DeliveryJson>> {
    const { limit, offset, status } = query;
    if (offset > 0)
      throw invalid([
        { field: 'offset', code: 'not_supported', message: 'page with cursor: the list grows' },
      ]);
    const position = positionOf(LIST, query, (text) => /^\d{1,15}$/.test(text));
    const before = position === undefined ? undefined : Number(position);
    const { deliveries, hasMore } = await listDeliveries(
      this.engine.db,
      { triggerId, status },
      { limit, before },
    );
    if (deliveries.length === 0 && !(await wasTrigger(this.engine.db, triggerId)))
      throw notFound('trigger', triggerId);
    const last = deliveries.at(-1);
    return list(reply, query, {
      items: deliveries.map(toDeliveryJson),
      total: deliveries.length,
      totalIsCapped: hasMore || before !== undefined,
      hasMore,
      nextCursor: last === undefined ? null : encodeCursor(LIST, String(last.deliveryId)),
    });
  }

  #answer(
    reply: FastifyReply,
    trigger: TriggerRecord,
    warnings: readonly string[] = [],
  ): Envelope<TriggerJson> {
    void reply.header('etag', `"${trigger.version}"`);
    return success(reply, toTriggerJson(trigger), { warnings });
  }

  async #find(id: string): Promise<TriggerRecord> {
    const trigger = await getTrigger(this.engine.db, id);
    if (trigger === null) throw notFound('trigger', id);
    return trigger;
  }

  async #setState(reply: FastifyReply, id: string, state: 'active' | 'paused'): Promise<TriggerRecord> {
    const current = await this.#find(id);
    if (current.state === state) throw new HttpProblem('CONFLICT', `trigger ${id} is ${state}`);
    const written = await changeTrigger(this.engine.db, id, current.version, { definition: current, state });
    const after = writtenOf(written, id);
    auditChange(reply.request, { before: { state: current.state }, after: { state } });
    return after;
  }
}
