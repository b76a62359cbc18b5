import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { listRunLogs } from '@spine/database';
import { logLevelNumber, runLogJson, toRunLogJson } from '@spine/execution';
import type { Engine, RunLogJson } from '@spine/execution';
import { listOf } from '../http/envelope.ts';
import { IdPipe } from '../http/id.pipe.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { ENGINE } from '../tokens.ts';
import { logListQuery } from './log.schemas.ts';
import type { LogListQuery } from './log.schemas.ts';

/** Lines are counted; beyond this a number is no id of one. */
function isLogId(text: string): boolean {
  return /^\d{1,15}$/.test(text);
}

@ApiTags('runs')
@Controller('api/v1/runs')
export class LogsController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get(':run_id/logs')
  @Operation({
    scope: 'read',
    confinement: 'run',
    summary: 'List what the handler of a run has logged, oldest first',
    description:
      'Up to 1,000 lines or 256 KiB of every attempt; a last line says how many more were dropped.',
    answers: { 200: { description: 'One page', schema: listOf(runLogJson) } },
    problems: ['NOT_FOUND'],
  })
  async listRunLogs(
    @Param('run_id', new IdPipe('run')) runId: string,
    @Query({ schema: logListQuery }) query: LogListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<RunLogJson>> {
    const after = positionOf('logs', query, isLogId);
    const { level, attempt, limit, offset } = query;
    const found = await listRunLogs(
      this.engine.db,
      runId,
      {
        ...(level === undefined ? {} : { minLevel: logLevelNumber(level) }),
        ...(attempt === undefined ? {} : { attempt }),
      },
      { limit, offset, ...(after === undefined ? {} : { afterLogId: after }) },
    );
    if (found.total === 0 && (await this.engine.dispatcher.get(runId)) === null) throw notFound('run', runId);
    const last = found.lines.at(-1);
    return list(reply, query, {
      ...found,
      items: found.lines.map(toRunLogJson),
      nextCursor: last === undefined ? null : encodeCursor('logs', last.logId),
    });
  }
}
