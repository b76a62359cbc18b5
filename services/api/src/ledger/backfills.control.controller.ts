import { Body, Controller, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Backfill } from '@spine/database';
import { Backfills } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { ENGINE } from '../tokens.ts';
import { backfillJson, toBackfillJson } from './backfills.json.ts';
import type { BackfillJson } from './backfills.json.ts';
import { changed } from './backfills.outcome.ts';

const ID = new IdPipe('backfill');
const ANSWER = { 200: { description: 'As it is now', schema: envelopeOf(backfillJson) } };

@ApiTags('backfills')
@Controller('api/v1/backfills')
export class BackfillControlController {
  readonly #backfills: Backfills;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#backfills = new Backfills(engine);
  }

  @Post(':backfill_id/start')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Start a planned backfill',
    description: 'The scheduler submits its partitions as runs, a few at a time.',
    answers: ANSWER,
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async startBackfill(
    @Param('backfill_id', ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackfillJson>> {
    return this.#answer(reply, changed(await this.#backfills.start(id), id, 'started'));
  }

  @Post(':backfill_id/resume')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Go on with a backfill that failed or was cancelled',
    description: 'What is done stays done; partitions that failed have all their attempts again.',
    answers: ANSWER,
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resumeBackfill(
    @Param('backfill_id', ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackfillJson>> {
    return this.#answer(reply, changed(await this.#backfills.resume(id), id, 'resumed'));
  }

  @Post(':backfill_id/cancel')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Stop a backfill and cancel its open runs',
    description: 'What is done stays done, and it can be resumed.',
    answers: ANSWER,
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async cancelBackfill(
    @Param('backfill_id', ID) id: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackfillJson>> {
    return this.#answer(reply, changed(await this.#backfills.cancel(id), id, 'cancelled'));
  }

  #answer(reply: FastifyReply, backfill: Backfill): Envelope<BackfillJson> {
    auditChange(reply.request, { after: { status: backfill.status } });
    return success(reply, toBackfillJson(backfill));
  }
}
