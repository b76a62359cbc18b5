import { Controller, Get, Headers, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { assertNever, SpineError } from '@spine/core';
import { listTriggers } from '@spine/database';
import type { Engine } from '@spine/execution';
import type { WebhookReceiver } from '@spine/scheduling';
import { accepted, envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list, offsetPaging } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, invalid } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { rawBodyOf } from '../http/strict-body.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE, WEBHOOKS } from '../tokens.ts';
import { toTriggerJson, triggerJson, triggerListQuery, webhookDeliveryJson } from './trigger.schemas.ts';
import type { TriggerJson } from './trigger.schemas.ts';

const webhookListQuery = triggerListQuery.pick({ state: true }).extend(offsetPaging);
type WebhookListQuery = z.infer<typeof webhookListQuery>;

@ApiTags('triggers')
@Controller('api/v1/webhooks')
export class WebhooksController {
  constructor(
    @Inject(WEBHOOKS) private readonly webhooks: WebhookReceiver,
    @Inject(ENGINE) private readonly engine: Engine,
  ) {}

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List the triggers that webhooks start',
    answers: { 200: { description: 'One page', schema: listOf(triggerJson) } },
  })
  async listWebhooks(
    @Query({ schema: webhookListQuery }) query: WebhookListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<TriggerJson>> {
    const found = await listTriggers(this.engine.db, { state: query.state, source: 'webhook' }, query);
    return list(reply, query, { ...found, items: found.triggers.map(toTriggerJson), nextCursor: null });
  }

  @Post('trigger/:name')
  @ApiHeader({
    name: 'webhook-id',
    required: true,
    description: 'The event’s id; the same id starts one run.',
  })
  @ApiHeader({
    name: 'webhook-timestamp',
    required: true,
    description: 'Seconds since 1970, within five minutes.',
  })
  @ApiHeader({
    name: 'webhook-signature',
    required: true,
    description: 'v1, and the base64 of HMAC-SHA-256 over id.timestamp.body; see standardwebhooks.com.',
  })
  @Operation({
    scope: 'signed',
    summary: 'Deliver a signed event',
    description: 'The signature is the key: no API key is asked for. Any JSON body.',
    answers: {
      200: { description: 'Received before, or no run was started', schema: envelopeOf(webhookDeliveryJson) },
      202: { description: 'A run was started', schema: envelopeOf(webhookDeliveryJson) },
    },
    problems: ['UNAUTHENTICATED', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async deliver(
    @Param('name') name: string,
    @Headers('webhook-id') id: string | undefined,
    @Headers('webhook-timestamp') timestamp: string | undefined,
    @Headers('webhook-signature') signature: string | undefined,
    @Req() request: FastifyRequest,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof webhookDeliveryJson>>> {
    const body = rawBodyOf(request);
    const outcome = await this.webhooks
      .receive({ name, body, id, timestamp, signature })
      .catch((error: unknown) => {
        if (!(error instanceof SpineError)) throw error;
        // The sender can do nothing about a secret that is not there, and is not to hear its name.
        throw new HttpProblem('UNAVAILABLE', 'the webhook cannot be verified now; try again later', {
          cause: error,
        });
      });
    switch (outcome.type) {
      case 'refused':
        throw new HttpProblem(
          'UNAUTHENTICATED',
          'there is no such webhook, or the signature, its time or its id is not valid',
        );
      case 'invalid':
        throw invalid([{ field: 'body', code: 'invalid_json', message: outcome.message }]);
      case 'delivered': {
        const { delivery, duplicate } = outcome;
        const { eventId, status, reason, runId } = delivery;
        const data = { event_id: eventId, status, reason, run_id: runId, duplicate };
        if (runId !== null && !duplicate) return accepted(reply, data, `/api/v1/runs/${runId}`);
        void reply.code(200);
        return success(reply, data);
      }
      default:
        return assertNever(outcome);
    }
  }
}
