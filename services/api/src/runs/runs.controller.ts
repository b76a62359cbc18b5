import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { isUuid } from '@spine/core';
import { asQueryable, listRunEvents, SEARCH_LIMIT, SMALL_PAGE } from '@spine/database';
import {
  runEventJson,
  runJson,
  toRunEventJson,
  toRunJson,
  workSpecFromJson,
  workSpecJson,
} from '@spine/execution';
import type { Engine, RunEventJson, RunJson, WorkSpecJson } from '@spine/execution';
import type { Logger } from '@spine/observability';
import { runScopeOf } from '../auth/run-scope.ts';
import { accepted, envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { logFault } from '../http/problem.filter.ts';
import { BATCH_EXAMPLES, WORK_SPEC_EXAMPLES } from '../openapi/examples.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE, LOGGER } from '../tokens.ts';
import { submitBatch } from './batch.ts';
import type { BatchResult } from './batch.ts';
import {
  batchBody,
  batchResultJson,
  eventListQuery,
  runAcceptedJson,
  runFilter,
  runListQuery,
  runQuery,
  submitQuery,
} from './run.schemas.ts';
import type {
  BatchBody,
  EventListQuery,
  RunAcceptedJson,
  RunListQuery,
  RunQuery,
  SubmitQuery,
} from './run.schemas.ts';
import { ConfinedSubmit } from './confined-submit.ts';
import { submitted } from './submit-outcome.ts';

const RUN_ID = new IdPipe('run');

/** Params and result of one answer together; larger ones are told of and left out. */
const SHOWN_BYTES = 32 * 1024 * 1024;

const SEARCH_ENDED = `${SEARCH_LIMIT} runs were looked through for this page; next_cursor goes on from there, since and until narrow it`;

/** Event ids are counted; beyond this a number is no id of an event. */
function isEventId(text: string): boolean {
  return /^\d{1,15}$/.test(text);
}

@ApiTags('runs')
@Controller('api/v1/runs')
export class RunsController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Post()
  @ApiBody({ description: 'A work spec.', examples: WORK_SPEC_EXAMPLES })
  @Operation({
    scope: 'submit',
    confinement: 'filtered',
    summary: 'Submit a run',
    description:
      'Answers when the run is stored; it is executed by a worker. With a known idempotency_key the existing run is returned.',
    answers: {
      202: { description: 'Stored', schema: envelopeOf(runAcceptedJson) },
      200: {
        description: 'The idempotency key is known: the existing run',
        schema: envelopeOf(runAcceptedJson),
      },
    },
    problems: ['CONFLICT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async submitRun(
    @Body({ schema: workSpecJson }) body: WorkSpecJson,
    @Query({ schema: submitQuery }) query: SubmitQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<RunAcceptedJson>> {
    const submit = new ConfinedSubmit(this.engine, reply.request, query.allow_unknown);
    const spec = workSpecFromJson(body);
    const result = submitted(spec, await submit.submit(spec));
    switch (result.type) {
      case 'accepted':
        return accepted(reply, result.run, `/api/v1/runs/${result.run.run_id}`, result.warnings);
      case 'existing':
        void reply.code(200);
        return success(reply, result.run, {
          links: [{ rel: 'self', href: `/api/v1/runs/${result.run.run_id}` }],
        });
      case 'refused':
        throw result.problem;
    }
  }

  @Post('batch')
  @ApiBody({ description: 'Work specs.', examples: BATCH_EXAMPLES })
  @Operation({
    scope: 'submit',
    confinement: 'filtered',
    summary: 'Submit many runs',
    description:
      'Every item has an outcome of its own, in order; a refused item does not stop the others. The body as a whole must be acceptable JSON.',
    answers: {
      202: { description: 'Every item was accepted, or exists', schema: envelopeOf(batchResultJson) },
      207: { description: 'At least one item was refused', schema: envelopeOf(batchResultJson) },
    },
    problems: ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async submitBatch(
    @Body({ schema: batchBody }) body: BatchBody,
    @Query({ schema: submitQuery }) query: SubmitQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BatchResult>> {
    const submit = new ConfinedSubmit(this.engine, reply.request, query.allow_unknown);
    const result = await submitBatch(submit, body.runs, body.batch_id, ({ problem, error }) =>
      logFault(this.logger, reply, problem, error),
    );
    void reply.code(result.refused === 0 ? 202 : 207);
    return success(reply, result);
  }

  @Get()
  @Operation({
    scope: 'read',
    confinement: 'filtered',
    summary: 'List runs, newest first',
    description:
      'By kind, name, lane, tag and status completed, one page looks through 10,000 runs at the most. A page that ends there has a warning, and `page.next_cursor` goes on, also when it shows nothing. A `page.total` of more than 1,000 may be ten seconds old.',
    answers: { 200: { description: 'One page', schema: listOf(runJson) } },
  })
  async listRuns(
    @Query({ schema: runListQuery }) query: RunListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<RunJson>> {
    const before = positionOf('runs', query, isUuid);
    const page = {
      limit: query.limit,
      offset: query.offset,
      ...(before === undefined ? {} : { beforeRunId: before }),
    };
    const filter = { ...runFilter(query), ...runScopeOf(reply.request) };
    const found = await this.engine.dispatcher.list(filter, page);
    const { nextBefore, searchEnded } = found;
    const listed = list(reply, query, {
      ...found,
      items: found.runs.map(toRunJson),
      nextCursor: nextBefore === null ? null : encodeCursor('runs', nextBefore),
    });
    return searchEnded ? { ...listed, warnings: [SEARCH_ENDED] } : listed;
  }

  @Get(':run_id')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'Get a run',
    answers: { 200: { description: 'The run', schema: envelopeOf(runJson) } },
    problems: ['NOT_FOUND'],
  })
  async getRun(
    @Param('run_id', RUN_ID) runId: string,
    @Query({ schema: runQuery }) query: RunQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<RunJson>> {
    const { dispatcher, payloads } = this.engine;
    const run = await dispatcher.get(runId);
    if (run === null) throw notFound('run', runId);
    return success(reply, toRunJson(query.payloads ? await payloads.show(run, SHOWN_BYTES) : run));
  }

  @Get(':run_id/events')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'List the events of a run, oldest first',
    answers: { 200: { description: 'One page', schema: listOf(runEventJson) } },
    problems: ['NOT_FOUND'],
  })
  async listRunEvents(
    @Param('run_id', RUN_ID) runId: string,
    @Query({ schema: eventListQuery }) query: EventListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<RunEventJson>> {
    const after = positionOf('events', query, isEventId);
    const page = {
      limit: query.limit,
      offset: query.offset,
      ...(after === undefined ? {} : { afterEventId: after }),
    };
    const { db, pool } = this.engine;
    const found = await listRunEvents(query.limit > SMALL_PAGE ? asQueryable(db) : pool, runId, page);
    // A run is stored together with its first event.
    if (found.total === 0) throw notFound('run', runId);
    const last = found.events.at(-1);
    return list(reply, query, {
      ...found,
      items: found.events.map(toRunEventJson),
      nextCursor: last === undefined ? null : encodeCursor('events', last.eventId),
    });
  }
}
