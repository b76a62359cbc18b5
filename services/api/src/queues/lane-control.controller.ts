import { Body, Controller, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { pausedLanes } from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { HttpProblem } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { emptyBody } from '../runs/run.schemas.ts';
import type { EmptyBody } from '../runs/run.schemas.ts';
import { ENGINE } from '../tokens.ts';
import { lanePauseBody, lanePausedJson, laneResumedJson } from './lane-control.schemas.ts';
import type { LanePauseBody } from './lane-control.schemas.ts';
import { LanePipe } from './lane.pipe.ts';

const LANE = new LanePipe();

@ApiTags('queues')
@Controller('api/v1/queues')
export class LaneControlController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Post(':lane/pause')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Pause a lane',
    description:
      'Nothing of it starts until it is resumed, whatever hints are in the queue; what runs goes on, submits are accepted.',
    answers: { 200: { description: 'Paused', schema: envelopeOf(lanePausedJson) } },
    problems: ['CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async pauseLane(
    @Param('lane', LANE) lane: string,
    @Body({ schema: lanePauseBody }) body: LanePauseBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof lanePausedJson>>> {
    const { dispatcher, capacity } = this.engine;
    const by = body?.by ?? actorOf(reply.request);
    const note = body?.note ?? null;
    if (!(await dispatcher.pauseLane(lane, by, note))) throw await this.#alreadyPaused(lane);
    const { lanes } = await capacity.refresh();
    auditChange(reply.request, { before: { paused: false }, after: { paused: true, by, note } });
    const warnings = lanes.has(lane)
      ? []
      : [`no live worker serves lane ${lane}; the pause holds all the same`];
    return success(reply, { lane, paused: true, paused_by: by, note }, { warnings });
  }

  @Post(':lane/resume')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    summary: 'Let a paused lane go on',
    answers: { 200: { description: 'Resumed', schema: envelopeOf(laneResumedJson) } },
    problems: ['CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resumeLane(
    @Param('lane', LANE) lane: string,
    @Body({ schema: emptyBody }) _body: EmptyBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof laneResumedJson>>> {
    if (await this.engine.dispatcher.resumeLane(lane)) {
      auditChange(reply.request, { before: { paused: true }, after: { paused: false } });
      return success(reply, { lane, paused: false });
    }
    throw new HttpProblem('CONFLICT', `lane ${lane} is not paused`);
  }

  async #alreadyPaused(lane: string): Promise<HttpProblem> {
    const state = (await pausedLanes(this.engine.pool)).find((paused) => paused.lane === lane);
    const by = state === undefined ? '' : ` by ${state.pausedBy} since ${state.pausedAt?.toISOString()}`;
    return new HttpProblem('CONFLICT', `lane ${lane} is already paused${by}`);
  }
}
