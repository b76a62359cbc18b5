import { Controller, Delete, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Engine } from '@spine/execution';
import { LockManager, schedulerHealth } from '@spine/scheduling';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { notFound } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import {
  lockJson,
  lockListQuery,
  schedulerHealthJson,
  toLockJson,
  toSchedulerHealthJson,
} from './lock.schemas.ts';
import type { LockJson, LockListQuery, SchedulerHealthJson } from './lock.schemas.ts';

const locksJson = lockJson.array();

@ApiTags('locks')
@Controller('api/v1')
export class LocksController {
  readonly #locks: LockManager;

  constructor(@Inject(ENGINE) private readonly engine: Engine) {
    this.#locks = new LockManager({ db: engine.db, owner: 'api' });
  }

  @Get('locks')
  @Operation({
    scope: 'read',
    summary: 'List locks by key, at most 1,000',
    answers: { 200: { description: 'The locks', schema: envelopeOf(locksJson) } },
  })
  async listLocks(
    @Query({ schema: lockListQuery }) query: LockListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof locksJson>>> {
    return success(reply, (await this.#locks.list(query.prefix)).map(toLockJson));
  }

  @Delete('locks/:lock_key')
  @Operation({
    scope: 'admin',
    summary: 'Take a lock from whoever holds it',
    description: 'What its owner still writes under it is refused; another may take it at once.',
    answers: { 200: { description: 'The lock as it was', schema: envelopeOf(lockJson) } },
    problems: ['NOT_FOUND'],
  })
  async releaseLock(
    @Param('lock_key') key: string,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<LockJson>> {
    const lock = key.includes('\0') ? null : await this.#locks.forceRelease(key);
    if (lock === null) throw notFound('lock', key);
    const before = toLockJson(lock);
    auditChange(reply.request, { before });
    return success(reply, before);
  }

  @Get('scheduler/health')
  @Operation({
    scope: 'read',
    summary: 'Whether schedules fire',
    answers: {
      200: {
        description: 'Schedulers, late schedules, locks, drift',
        schema: envelopeOf(schedulerHealthJson),
      },
    },
  })
  async schedulerHealth(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<SchedulerHealthJson>> {
    return success(reply, toSchedulerHealthJson(await schedulerHealth(this.engine.pool, this.#locks)));
  }
}
