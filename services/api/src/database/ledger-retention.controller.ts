import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { checkRetention } from '@spine/core';
import { ledgerEligible, purgeLedger, retentionReport } from '@spine/database';
import type { Engine } from '@spine/execution';
import { auditChange } from '../audit/record.ts';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { list } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { pageOf } from '../stats/in-memory-page.ts';
import { ENGINE } from '../tokens.ts';
import {
  purgeBody,
  purgedJson,
  retentionJson,
  retentionQuery,
  toRetentionJsons,
} from './database.schemas.ts';
import type { PurgeBody, RetentionQuery } from './database.schemas.ts';

const BATCH = 1_000;
/** What one request deletes at the most: some seconds' work. The scheduler does the rest, or another request. */
const BATCHES = 20;

@ApiTags('database')
@Controller('api/v1/database')
export class LedgerRetentionController {
  constructor(@Inject(ENGINE) private readonly engine: Engine) {}

  @Get('retention')
  @Operation({
    scope: 'read',
    summary: 'How long the tables of the ledger are kept, and what may go now',
    description:
      'Rows are judged by the minimum of their table. POST /database/purge tells of other periods.',
    answers: { 200: { description: 'One page', schema: listOf(retentionJson) } },
  })
  async getRetention(
    @Query({ schema: retentionQuery }) query: RetentionQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof retentionJson>>> {
    const tables = toRetentionJsons(await retentionReport(this.engine.db, new Map()));
    return list(
      reply,
      query,
      pageOf(query, tables, (table) => table),
    );
  }

  @Post('purge')
  @HttpCode(200)
  @Operation({
    scope: 'admin',
    summary: 'Delete old rows of a table of the ledger, or say what would go',
    description:
      'A period under the minimum of the table is refused, and so is a table that is kept forever, such as rejects.',
    answers: { 200: { description: 'Deleted, or counted', schema: envelopeOf(purgedJson) } },
    problems: ['UNSUPPORTED_MEDIA_TYPE'],
  })
  async purge(
    @Body({ schema: purgeBody }) body: PurgeBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof purgedJson>>> {
    const { db, metrics, logger } = this.engine;
    const { older_than_days: olderThanDays, dry_run: dryRun } = body;
    const table = checkRetention(body.table, olderThanDays);
    const { eligible, eligibleIsCapped } = await ledgerEligible(db, table, olderThanDays);
    let deleted = 0;
    let after: number | null = body.after;
    let more = !dryRun && eligible > 0;
    auditChange(reply.request, { touched: 0 });
    for (let batch = 0; more && batch < BATCHES; batch += 1) {
      const purged = await purgeLedger(db, { table, olderThanDays, after, batch: BATCH });
      metrics.purged.inc({ table }, purged.deleted);
      deleted += purged.deleted;
      // Also when a later part fails: each has committed.
      auditChange(reply.request, { touched: deleted });
      after = purged.last;
      more = after !== null;
    }
    if (!dryRun)
      logger.info({ table, rows: deleted, older_than_days: olderThanDays }, 'old rows of the ledger deleted');
    return success(reply, {
      table,
      older_than_days: olderThanDays,
      dry_run: dryRun,
      eligible,
      eligible_is_capped: eligibleIsCapped,
      deleted,
      next_after: more ? after : null,
    });
  }
}
