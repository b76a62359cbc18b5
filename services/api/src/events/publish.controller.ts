import { Body, Controller, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Settings } from '@spine/config';
import { EventBusUnavailableError, toBusEventJson } from '@spine/execution';
import type { BusEvent, BusEventJson, Engine } from '@spine/execution';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { HttpProblem } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE, SETTINGS } from '../tokens.ts';
import { publishBody, publishedEventJson } from './publish.schemas.ts';
import type { PublishBody } from './publish.schemas.ts';

@ApiTags('events')
@Controller('api/v1/events')
export class PublishController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(SETTINGS) private readonly settings: Settings<'api'>,
  ) {}

  @Post('publish')
  @HttpCode(202)
  @Operation({
    scope: 'submit',
    summary: 'Publish an event to whoever listens now',
    description:
      'It goes to subscribers of the event bus in every process, and to clients that follow the event stream, there as ' +
      '`event: published`. At most once, and not stored: who is not connected does not get it later.',
    answers: { 202: { description: 'On its way', schema: envelopeOf(publishedEventJson) } },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async publishEvent(
    @Body({ schema: publishBody }) body: PublishBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BusEventJson>> {
    if (!this.settings.flags.isEnabled('publish_events')) {
      throw new HttpProblem('FORBIDDEN', 'publishing events is switched off here (SPINE_FF_PUBLISH_EVENTS)');
    }
    return success(reply, toBusEventJson(await this.#publish(body)));
  }

  async #publish(body: PublishBody): Promise<BusEvent> {
    try {
      return await this.engine.eventBus.publish(body);
    } catch (error) {
      if (!(error instanceof EventBusUnavailableError)) throw error;
      throw new HttpProblem('UNAVAILABLE', error.message, { cause: error });
    }
  }
}
