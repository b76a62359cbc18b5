import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { OnModuleDestroy } from '@nestjs/common';
import { ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Settings } from '@spine/config';
import { assertNever, SpineError } from '@spine/core';
import { MAX_BEHIND } from '@spine/execution';
import type { Engine, OpenOutcome, OpenStream } from '@spine/execution';
import { endWithKey } from '../auth/lasting.ts';
import { principalOf } from '../auth/principal.ts';
import { mustSeeRun, runScopeOf } from '../auth/run-scope.ts';
import type { RunScope } from '../auth/run-scope.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { HttpProblem, invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { setResponseHeaders } from '../http/response-headers.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE, SETTINGS } from '../tokens.ts';
import { eventFilter, streamQuery, streamsStatusJson } from './event.schemas.ts';
import type { StreamQuery } from './event.schemas.ts';
import { PublishedEvents, wantedTypes, withPublished } from './publish-stream.ts';
import { preamble, send } from './sse.ts';
import { StreamPlaces } from './stream-places.ts';
import type { GiveBack } from './stream-places.ts';

const LAST_EVENT_ID = 'last-event-id';

/** The cursor a client resumes at; null for none. */
function cursorOf(request: FastifyRequest, query: StreamQuery): number | null {
  const header = request.headers[LAST_EVENT_ID];
  if (header === undefined || header === '') return query.last_event_id ?? null;
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw badCursor('must be an id that this API has sent');
}

function badCursor(message: string): HttpProblem {
  return invalid([{ field: LAST_EVENT_ID, code: 'invalid_cursor', message }]);
}

function refusal(outcome: Exclude<OpenOutcome, { type: 'open' | 'over' }>, query: StreamQuery): HttpProblem {
  switch (outcome.type) {
    case 'run_not_found':
      return notFound('run', query.run_id ?? '');
    case 'too_many':
      return new HttpProblem(
        'UNAVAILABLE',
        `this process serves its ${outcome.maxStreams} event streams already`,
        {
          retryAfterSeconds: 5,
        },
      );
    case 'unknown_cursor':
      return badCursor('is of another database, or of the future');
    case 'too_far_behind':
      return badCursor(
        `is more than ${MAX_BEHIND} events behind; follow from now on, and read what was missed from the runs`,
      );
    default:
      return assertNever(outcome);
  }
}

@ApiTags('events')
@Controller('api/v1/events')
export class EventsController implements OnModuleDestroy {
  readonly #places: StreamPlaces;
  readonly #perKey: number;

  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(SETTINGS) { api }: Settings<'api'>,
  ) {
    // In local mode everybody is the same caller.
    this.#perKey = api.open ? 0 : api.eventStreamsPerKey;
    this.#places = new StreamPlaces(this.#perKey);
  }

  /** Before the server waits for its connections to end. */
  onModuleDestroy(): void {
    this.engine.eventStreams.endAll();
  }

  @Get('stream')
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'Where to resume; sent by EventSource itself.',
  })
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'Follow the events of runs as they come',
    description:
      'Server-sent events: data is a RunEvent. At least once: after a reconnect some may come again, told by event_id; ' +
      'none is left out. Events of POST /events/publish come as `event: published`, at most once, where no run is asked for. ' +
      'A heartbeat comes every 15 s. `event: end` says why the stream ends: terminal, too_slow, shutdown.',
    answers: {
      200: { description: 'Events', mediaType: 'text/event-stream' },
      204: {
        description: 'The run has ended and its terminal event was seen: nothing more will come',
        mediaType: 'text/plain',
      },
    },
    problems: ['NOT_FOUND', 'QUOTA_EXCEEDED'],
  })
  async streamEvents(
    @Query({ schema: streamQuery }) query: StreamQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = cursorOf(request, query);
    // A HEAD request of what would never end.
    if (request.method === 'HEAD') return void reply.type('text/event-stream').send();
    const giveBack = this.#place(request);
    try {
      await this.#follow(query, after, request, reply);
    } finally {
      giveBack();
    }
  }

  /** Its place among the streams of the caller's key. @throws HttpProblem when there is none. */
  #place(request: FastifyRequest): GiveBack {
    const giveBack = this.#places.take(principalOf(request).id);
    if (giveBack !== null) return giveBack;
    throw new HttpProblem(
      'QUOTA_EXCEEDED',
      `the key has ${this.#perKey} event streams open here already; end one, or follow several runs in one stream`,
      { retryAfterSeconds: 5 },
    );
  }

  /** Resolves when the stream has ended. */
  async #follow(
    query: StreamQuery,
    after: number | null,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const scope = runScopeOf(request);
    if (query.run_id !== undefined) await mustSeeRun(this.engine.pool, scope, query.run_id);
    const outcome = await this.#open(query, scope, after, gone.signal);
    switch (outcome.type) {
      case 'open':
        endWithKey(request, gone);
        return await stream(reply, outcome.stream, () => this.#published(query, scope));
      case 'over':
        return void reply.code(204).send();
      case 'run_not_found':
      case 'too_many':
      case 'unknown_cursor':
      case 'too_far_behind':
        throw refusal(outcome, query);
      default:
        return assertNever(outcome);
    }
  }

  @Get('status')
  @Operation({
    scope: 'read',
    summary: 'How events are followed from this process',
    answers: { 200: { description: 'Status', schema: envelopeOf(streamsStatusJson) } },
  })
  async getEventsStatus(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof streamsStatusJson>>> {
    const status = await this.engine.eventStreams.status();
    return success(reply, {
      streams: status.streams,
      max_streams: status.maxStreams,
      awake: status.awake,
      last_event_id: String(status.lastEventId),
      safe_event_id: status.safeEventId === null ? null : String(status.safeEventId),
      ahead: status.ahead,
    });
  }

  /** Events of clients, which are of no namespace, for a stream that may have them. Stored events are followed also while the bus is away. */
  async #published(query: StreamQuery, { namespace }: RunScope): Promise<PublishedEvents | null> {
    if (namespace !== undefined) return null;
    const types = wantedTypes(query);
    if (types === 'none') return null;
    const published = new PublishedEvents(types);
    await published.follow(this.engine.eventBus);
    return published;
  }

  async #open(
    query: StreamQuery,
    scope: RunScope,
    after: number | null,
    signal: AbortSignal,
  ): Promise<OpenOutcome> {
    const filter = { ...eventFilter(query), ...scope };
    try {
      return await this.engine.eventStreams.open(
        {
          filter,
          // A run's history is short, and who follows one wants all of it.
          after: after ?? (filter.runId === undefined ? null : 0),
          untilTerminal: query.until_terminal,
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof SpineError) || !error.retryable) throw error;
      throw new HttpProblem('UNAVAILABLE', error.message, { cause: error });
    }
  }
}

/** Writes a stream until it ends or its client is gone. */
async function stream(
  reply: FastifyReply,
  { items, close, cursor }: OpenStream,
  follow: () => Promise<PublishedEvents | null>,
): Promise<void> {
  let published: PublishedEvents | null;
  try {
    published = await follow();
  } catch (error) {
    await close();
    throw error;
  }
  setResponseHeaders(reply);
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  raw.setHeader('content-type', 'text/event-stream; charset=utf-8');
  // Proxies that collect an answer before they pass it on.
  raw.setHeader('x-accel-buffering', 'no');
  reply.hijack();
  try {
    raw.writeHead(200);
    let open = await send(raw, preamble(cursor));
    if (open) {
      for await (const text of withPublished(items, published)) {
        open = await send(raw, text);
        if (!open) break;
      }
    }
    if (open) raw.end();
    else raw.destroy();
  } catch {
    // The client comes back and resumes.
    raw.destroy();
  } finally {
    published?.close();
    await close();
  }
}
