import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { assertNever, isUuid } from '@spine/core';
import type { DeadLetter, DeadLetterPosition } from '@spine/database';
import { deadLetterJson, DLQManager, toDeadLetterJson } from '@spine/execution';
import type { DeadLetterJson, Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { actorOf } from '../auth/principal.ts';
import { runScopeOf } from '../auth/run-scope.ts';
import { accepted, envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { deadLetterFilter, deadLetterListQuery, replayedJson, resolveBody } from './dead-letter.schemas.ts';
import type { DeadLetterListQuery, ResolveBody } from './dead-letter.schemas.ts';

const DEAD_LETTER_ID = new IdPipe('dead letter');

/** Microseconds since 1970 and an id. */
const POSITION = /^(\d{1,16})\/(.{36})$/;

function positionIn(text: string): DeadLetterPosition {
  const [, micros = '', deadLetterId = ''] = POSITION.exec(text) ?? [];
  return { createdMicros: Number(micros), deadLetterId };
}

function isPosition(text: string): boolean {
  return POSITION.test(text) && isUuid(positionIn(text).deadLetterId);
}

function alreadyResolved(letter: DeadLetter): HttpProblem {
  const by = letter.resolvedBy === null ? '' : ` by ${letter.resolvedBy}`;
  return new HttpProblem(
    'CONFLICT',
    `dead letter ${letter.deadLetterId} is already ${letter.resolution ?? 'resolved'}${by}`,
  );
}

@ApiTags('dead letters')
@Controller('api/v1/dlq')
export class DeadLettersController {
  readonly #letters: DLQManager;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#letters = new DLQManager(engine);
  }

  @Get()
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'List dead letters, newest first',
    answers: { 200: { description: 'One page', schema: listOf(deadLetterJson) } },
  })
  async listDeadLetters(
    @Query({ schema: deadLetterListQuery }) query: DeadLetterListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<DeadLetterJson>> {
    const position = positionOf('dlq', query, isPosition);
    const { limit, offset } = query;
    const page = { limit, offset, ...(position === undefined ? {} : { after: positionIn(position) }) };
    const filter = { ...deadLetterFilter(query), ...runScopeOf(reply.request) };
    const found = await this.#letters.list(filter, page);
    const { last } = found;
    return list(reply, query, {
      ...found,
      items: found.deadLetters.map(toDeadLetterJson),
      nextCursor: last === null ? null : encodeCursor('dlq', `${last.createdMicros}/${last.deadLetterId}`),
    });
  }

  @Get(':dead_letter_id')
  @Operation({
    scope: 'read',
    confinement: 'dead_letter',
    summary: 'Get a dead letter',
    answers: { 200: { description: 'The dead letter', schema: envelopeOf(deadLetterJson) } },
    problems: ['NOT_FOUND'],
  })
  async getDeadLetter(
    @Param('dead_letter_id', DEAD_LETTER_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<DeadLetterJson>> {
    const letter = await this.#letters.get(id);
    if (letter === null) throw notFound('dead letter', id);
    return success(reply, toDeadLetterJson(letter));
  }

  @Post(':dead_letter_id/replay')
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    confinement: 'dead_letter',
    summary: 'Run a dead letter again',
    description:
      'Stores a new run and closes the dead letter in one transaction; of two replays at once one wins.',
    answers: { 202: { description: 'A new run', schema: envelopeOf(replayedJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async replayDeadLetter(
    @Param('dead_letter_id', DEAD_LETTER_ID) id: string,
    @Body({ schema: resolveBody }) body: ResolveBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof replayedJson>>> {
    const outcome = await this.#letters.replay(
      id,
      body?.resolved_by ?? actorOf(reply.request),
      body?.note ?? null,
    );
    switch (outcome.type) {
      case 'replayed': {
        const data = { run_id: outcome.runId, dead_letter_id: id, retry_of_run_id: outcome.deadLetter.runId };
        auditChange(reply.request, { after: { resolution: 'replayed', run_id: outcome.runId } });
        return accepted(reply, data, `/api/v1/runs/${outcome.runId}`);
      }
      case 'already_resolved':
        throw alreadyResolved(outcome.deadLetter);
      case 'not_found':
        throw notFound('dead letter', id);
      default:
        return assertNever(outcome);
    }
  }

  @Post(':dead_letter_id/resolve')
  @HttpCode(200)
  @ApiBody({ required: false })
  @Operation({
    scope: 'operate',
    confinement: 'dead_letter',
    summary: 'Close a dead letter without running it again',
    answers: { 200: { description: 'The closed dead letter', schema: envelopeOf(deadLetterJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async resolveDeadLetter(
    @Param('dead_letter_id', DEAD_LETTER_ID) id: string,
    @Body({ schema: resolveBody }) body: ResolveBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<DeadLetterJson>> {
    const outcome = await this.#letters.resolve(
      id,
      body?.resolved_by ?? actorOf(reply.request),
      body?.note ?? null,
    );
    switch (outcome.type) {
      case 'resolved':
        auditChange(reply.request, { after: { resolution: 'resolved' } });
        return success(reply, toDeadLetterJson(outcome.deadLetter));
      case 'already_resolved':
        throw alreadyResolved(outcome.deadLetter);
      case 'not_found':
        throw notFound('dead letter', id);
      default:
        return assertNever(outcome);
    }
  }
}
