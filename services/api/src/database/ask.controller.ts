import { Body, Controller, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Settings } from '@spine/config';
import { assertNever } from '@spine/core';
import { askDatabase } from '@spine/database';
import type { AskOutcome } from '@spine/database';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { HttpProblem, invalid } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { SETTINGS } from '../tokens.ts';
import { answerJson, ASK_LIMITS, askBody, placeOf, toAnswerJson } from './ask.schemas.ts';
import type { AskBody } from './ask.schemas.ts';

@ApiTags('database')
@Controller('api/v1/database')
export class AskController {
  #underWay = 0;

  constructor(@Inject(SETTINGS) private readonly settings: Settings<'api'>) {}

  @Post('query')
  @HttpCode(200)
  @Operation({
    scope: 'admin',
    summary: 'Ask the database a question of your own',
    description:
      'One statement, in a read-only transaction that is rolled back, as a role that may read and nothing else; API keys and the audit log are not among what it may read. Bounded in time, rows and bytes, and cancelled when you hang up. The statement is kept in the audit log: put no secret in it.',
    answers: { 200: { description: 'The rows', schema: envelopeOf(answerJson) } },
    problems: ['RATE_LIMITED', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async queryDatabase(
    @Body({ schema: askBody }) body: AskBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof answerJson>>> {
    if (this.#underWay >= ASK_LIMITS.atOnce) {
      throw new HttpProblem(
        'RATE_LIMITED',
        `${ASK_LIMITS.atOnce} questions are being answered; ask again when one is done`,
      );
    }
    this.#underWay += 1;
    auditChange(reply.request, { after: { sql: body.sql } });
    try {
      const outcome = await askDatabase(this.settings.database.url.reveal(), {
        sql: body.sql,
        maxRows: body.max_rows,
        maxBytes: ASK_LIMITS.bytes,
        timeoutMs: body.timeout_seconds * 1_000,
        signal: hungUp(reply),
      });
      return success(reply, toAnswerJson(answered(outcome, body.sql)));
    } finally {
      this.#underWay -= 1;
    }
  }
}

/** Aborted when the client goes away before it has its answer. */
function hungUp(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

function answered(outcome: AskOutcome, sql: string): Extract<AskOutcome, { type: 'answered' }> {
  switch (outcome.type) {
    case 'answered':
      return outcome;
    case 'refused': {
      const { sqlState, message, position } = outcome;
      const place = position === null ? {} : placeOf(sql, position);
      throw invalid([{ field: 'sql', code: `sqlstate_${sqlState.toLowerCase()}`, message, ...place }]);
    }
    case 'timed_out':
      throw invalid([
        {
          field: 'timeout_seconds',
          code: 'timed_out',
          message: `the statement took longer than ${outcome.timeoutMs / 1_000} s; ask for less, or allow up to ${ASK_LIMITS.seconds.max}`,
        },
      ]);
    case 'cancelled':
      throw new HttpProblem('UNAVAILABLE', 'the client went away; the statement was cancelled');
    default:
      return assertNever(outcome);
  }
}
