import { Body, Controller, Delete, Get, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { isUuid } from '@spine/core';
import {
  countBackfillPartitions,
  deleteBackfill,
  getBackfill,
  limitBackfill,
  listBackfillPartitions,
  listBackfills,
} from '@spine/database';
import type { PartitionKey } from '@spine/database';
import { Backfills } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { invalid, notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  backfillDetailJson,
  backfillJson,
  backfillPartitionJson,
  toBackfillDetailJson,
  toBackfillJson,
  toBackfillPartitionJson,
} from './backfills.json.ts';
import type { BackfillDetailJson, BackfillJson, BackfillPartitionJson } from './backfills.json.ts';
import { changed } from './backfills.outcome.ts';
import {
  backfillBody,
  backfillLimitsBody,
  backfillListQuery,
  backfillSpec,
  partitionListQuery,
} from './backfills.schemas.ts';
import type {
  BackfillBody,
  BackfillLimitsBody,
  BackfillListQuery,
  PartitionListQuery,
} from './backfills.schemas.ts';
import { evidenceOf, expectedBy, gapsAmong } from './watermarks.gaps.ts';

const ID = new IdPipe('backfill');
const FAILED_SHOWN = 100;

function isOrdinal(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}

@ApiTags('backfills')
@Controller('api/v1/backfills')
export class BackfillsController {
  readonly #engine: Engine;
  readonly #backfills: Backfills;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#engine = engine;
    this.#backfills = new Backfills(engine);
  }

  @Get()
  @Operation({
    scope: 'read',
    summary: 'List backfills, newest first',
    answers: { 200: { description: 'One page', schema: listOf(backfillJson) } },
  })
  async listBackfills(
    @Query({ schema: backfillListQuery }) query: BackfillListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<BackfillJson>> {
    const { domain, status, reason, limit, offset } = query;
    const before = positionOf('backfills', query, isUuid);
    const found = await listBackfills(
      this.#engine.db,
      {
        ...(domain === undefined ? {} : { domain }),
        ...(status === undefined ? {} : { status }),
        ...(reason === undefined ? {} : { reason }),
      },
      { limit, offset, ...(before === undefined ? {} : { before }) },
    );
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map(toBackfillJson),
      nextCursor: last === undefined ? null : encodeCursor('backfills', last.backfillId),
    });
  }

  @Post()
  @Operation({
    scope: 'operate',
    summary: 'Plan a backfill',
    description: 'Stores the plan with its partitions, all or nothing. It does nothing until it is started.',
    answers: { 201: { description: 'Planned', schema: envelopeOf(backfillJson) } },
    problems: ['NOT_FOUND', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async createBackfill(
    @Body({ schema: backfillBody }) body: BackfillBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackfillJson>> {
    const plan = await this.#backfills.create(backfillSpec(body, await this.#partitionsOf(body)));
    const self = `/api/v1/backfills/${plan.backfillId}`;
    void reply.code(201).header('location', self);
    auditChange(reply.request, { after: toBackfillJson(plan) });
    return success(reply, toBackfillJson(plan), { links: [{ rel: 'self', href: self }] });
  }

  async #partitionsOf({
    domain,
    partition_keys: keys = [],
    range,
  }: BackfillBody): Promise<readonly PartitionKey[]> {
    if (range === undefined) return keys;
    const { db } = this.#engine;
    const expected = await expectedBy(db, { domain, ...range });
    const { gaps_of_source: source, gaps_of_stage: stage } = range;
    const wanted =
      source === undefined && stage === undefined
        ? expected
        : await gapsAmong(db, domain, expected, evidenceOf({ source, stage }));
    if (wanted.length === 0) {
      throw invalid([
        { field: 'range', code: 'empty', message: 'there is no partition to do in this range' },
      ]);
    }
    return wanted.map(({ partitionKey }) => partitionKey);
  }

  @Get(':backfill_id')
  @Operation({
    scope: 'read',
    summary: 'Get a backfill with its progress',
    answers: { 200: { description: 'The backfill', schema: envelopeOf(backfillDetailJson) } },
    problems: ['NOT_FOUND'],
  })
  async getBackfill(
    @Param('backfill_id', ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackfillDetailJson>> {
    const { db } = this.#engine;
    const plan = await getBackfill(db, id);
    if (plan === null) throw notFound('backfill', id);
    const counts = await countBackfillPartitions(db, id);
    const failed = await listBackfillPartitions(db, id, { status: 'FAILED', limit: FAILED_SHOWN });
    return success(reply, toBackfillDetailJson(plan, counts, failed));
  }

  @Get(':backfill_id/partitions')
  @Operation({
    scope: 'read',
    summary: 'List the partitions of a backfill in their order',
    answers: { 200: { description: 'One page', schema: listOf(backfillPartitionJson) } },
    problems: ['NOT_FOUND'],
  })
  async listPartitions(
    @Param('backfill_id', ID) id: string,
    @Query({ schema: partitionListQuery }) query: PartitionListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<BackfillPartitionJson>> {
    const { db } = this.#engine;
    const { status, limit } = query;
    const plan = await getBackfill(db, id);
    if (plan === null) throw notFound('backfill', id);
    const paged = { ...query, offset: 0 };
    const after = positionOf('backfill_partitions', paged, isOrdinal);
    const rows = await listBackfillPartitions(db, id, {
      limit: limit + 1,
      ...(status === undefined ? {} : { status }),
      ...(after === undefined ? {} : { after: Number(after) }),
    });
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    return list(reply, paged, {
      items: items.map(toBackfillPartitionJson),
      total: status === undefined ? plan.total : (await countBackfillPartitions(db, id))[status],
      hasMore: rows.length > limit,
      nextCursor: last === undefined ? null : encodeCursor('backfill_partitions', String(last.ordinal)),
    });
  }

  @Patch(':backfill_id')
  @Operation({
    scope: 'operate',
    summary: 'Change the limits of a backfill that is not complete',
    answers: { 200: { description: 'As it is now', schema: envelopeOf(backfillJson) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async limitBackfill(
    @Param('backfill_id', ID) id: string,
    @Body({ schema: backfillLimitsBody }) body: BackfillLimitsBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackfillJson>> {
    const { concurrency, max_attempts: maxAttempts, note } = body;
    const change = await limitBackfill(this.#engine.db, id, {
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(maxAttempts === undefined ? {} : { maxAttempts }),
      ...(note === undefined ? {} : { note }),
    });
    const after = toBackfillJson(changed(change, id, 'changed'));
    auditChange(reply.request, { after });
    return success(reply, after);
  }

  @Delete(':backfill_id')
  @Operation({
    scope: 'operate',
    summary: 'Delete a backfill that has not started',
    answers: { 200: { description: 'As it was', schema: envelopeOf(backfillJson) } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  })
  async deleteBackfill(
    @Param('backfill_id', ID) id: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<BackfillJson>> {
    const change = await deleteBackfill(this.#engine.db, id);
    const before = toBackfillJson(changed(change, id, 'deleted'));
    auditChange(reply.request, { before });
    return success(reply, before);
  }
}
