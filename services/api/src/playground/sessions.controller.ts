import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isUuid } from '@spine/core';
import { deletePlaygroundSession, listPlaygroundSessions } from '@spine/database';
import type { Engine } from '@spine/execution';
import { DefinitionVersions } from '@spine/orchestration';
import type { PlaygroundSessions, Session } from '@spine/orchestration';
import { actorOf } from '../auth/principal.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE, PLAYGROUND } from '../tokens.ts';
import { SESSION_EXAMPLES } from './examples.ts';
import { createdOf, openedOf, tagged } from './outcomes.ts';
import {
  contextJson,
  peekJson,
  sessionJson,
  sessionSummaryJson,
  snapshotJson,
  toContextJson,
  toGivenAnswers,
  toPeekJson,
  toSessionJson,
  toSnapshotJson,
  toSummaryJson,
} from './playground.json.ts';
import type {
  ContextJson,
  PeekJson,
  SessionJson,
  SessionSummaryJson,
  SnapshotJson,
} from './playground.json.ts';
import { historyQuery, sessionBody, sessionListQuery } from './playground.schemas.ts';
import type { HistoryQuery, SessionBody, SessionListQuery } from './playground.schemas.ts';
import { sourceOf } from './source.ts';

export const SESSION_ID = new IdPipe('playground session');

@ApiTags('playground')
@Controller('api/v1/playground/sessions')
export class PlaygroundSessionsController {
  readonly #definitions = new DefinitionVersions();

  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(PLAYGROUND) private readonly sessions: PlaygroundSessions,
  ) {}

  @Post()
  @HttpCode(201)
  @ApiBody({ description: 'A session.', examples: SESSION_EXAMPLES })
  @Operation({
    scope: 'submit',
    summary: 'Begin to go through a workflow by hand',
    description:
      'Nothing is called yet, and unless the mode is live nothing ever is. The session is kept until it has not been changed for its time to live.',
    answers: { 201: { description: 'The session', schema: envelopeOf(sessionJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'QUOTA_EXCEEDED', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'],
  })
  async createPlaygroundSession(
    @Body({ schema: sessionBody }) body: SessionBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionJson>> {
    const source = await sourceOf({ db: this.engine.db, definitions: this.#definitions }, body);
    const session = createdOf(
      await this.sessions.create({
        ...source,
        by: actorOf(request),
        mode: body.mode,
        given: toGivenAnswers(body.answers),
        ttlSeconds: body.ttl_seconds,
      }),
    );
    tagged(reply, session);
    void reply.header('location', `/api/v1/playground/sessions/${session.summary.sessionId}`);
    return success(reply, toSessionJson(session));
  }

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List playground sessions, newest first',
    answers: { 200: { description: 'One page', schema: listOf(sessionSummaryJson) } },
  })
  async listPlaygroundSessions(
    @Query({ schema: sessionListQuery }) query: SessionListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<SessionSummaryJson>> {
    const { created_by: createdBy, workflow, limit, offset } = query;
    const before = positionOf('playground', query, isUuid) ?? null;
    const found = await listPlaygroundSessions(
      this.engine.db,
      { createdBy, workflow },
      { before, limit, offset },
    );
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toSummaryJson),
      nextCursor: last === undefined ? null : encodeCursor('playground', last.sessionId),
    });
  }

  @Get(':session_id')
  @Operation({
    scope: 'read',
    summary: 'Get a playground session',
    answers: { 200: { description: 'The session', schema: envelopeOf(sessionJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async getPlaygroundSession(
    @Param('session_id', SESSION_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionJson>> {
    return success(reply, toSessionJson(await this.#open(id, reply)));
  }

  @Delete(':session_id')
  @Operation({
    scope: 'submit',
    summary: 'Delete a playground session',
    answers: { 200: { description: 'The session as it was', schema: envelopeOf(sessionSummaryJson) } },
    problems: ['NOT_FOUND'],
  })
  async deletePlaygroundSession(
    @Param('session_id', SESSION_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SessionSummaryJson>> {
    const deleted = await deletePlaygroundSession(this.engine.db, id);
    if (deleted === null) throw notFound('playground session', id);
    return success(reply, toSummaryJson(deleted));
  }

  @Get(':session_id/peek')
  @Operation({
    scope: 'read',
    summary: 'Look at what the next step forth would do, without doing it',
    answers: { 200: { description: 'What comes next', schema: envelopeOf(peekJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async peekPlayground(
    @Param('session_id', SESSION_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<PeekJson>> {
    const { playground } = await this.#open(id, reply);
    return success(reply, toPeekJson(playground.peek()));
  }

  @Get(':session_id/context')
  @Operation({
    scope: 'read',
    summary: 'Look at params, context, outputs and the status of every step',
    answers: { 200: { description: 'The run as it is', schema: envelopeOf(contextJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async getPlaygroundContext(
    @Param('session_id', SESSION_ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<ContextJson>> {
    const { playground } = await this.#open(id, reply);
    return success(reply, toContextJson(playground));
  }

  @Get(':session_id/history')
  @Operation({
    scope: 'read',
    summary: 'List the steps forth, without those taken back, oldest first',
    answers: { 200: { description: 'One page', schema: listOf(snapshotJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async getPlaygroundHistory(
    @Param('session_id', SESSION_ID) id: string,
    @Query({ schema: historyQuery }) query: HistoryQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<SnapshotJson>> {
    const seen = Number(positionOf('playground-history', query, (text) => /^\d{1,6}$/.test(text)) ?? 0);
    const { playground } = await this.#open(id, reply);
    const begin = seen + query.offset;
    const items = playground.historyBetween(begin, begin + query.limit);
    return list(reply, query, {
      items: items.map(toSnapshotJson),
      total: playground.stepCount,
      hasMore: begin + items.length < playground.stepCount,
      nextCursor: encodeCursor('playground-history', String(begin + items.length)),
    });
  }

  async #open(id: string, reply: FastifyReply): Promise<Session> {
    const session = openedOf(await this.sessions.open(id), id);
    tagged(reply, session);
    return session;
  }
}
