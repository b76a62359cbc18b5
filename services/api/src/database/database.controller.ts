import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Settings } from '@spine/config';
import { assertNever } from '@spine/core';
import { databaseHealth, describeSchema, listIndexes, listTables, vacuumTable } from '@spine/database';
import type { TableFacts } from '@spine/database';
import type { Engine } from '@spine/execution';
import { envelopeOf, listOf, success } from '../http/envelope.ts';
import type { Envelope } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, invalid } from '../http/problem.ts';
import { noQuery } from '../http/query-values.ts';
import type { NoQuery } from '../http/query-values.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { pageOf } from '../stats/in-memory-page.ts';
import { ENGINE, SETTINGS } from '../tokens.ts';
import {
  databaseHealthJson,
  indexJson,
  indexListQuery,
  schemaJson,
  tableJson,
  tableListQuery,
  toDatabaseHealthJson,
  toIndexJsons,
  toSchemaJson,
  toTableJson,
  toVacuumedJson,
  vacuumBody,
  vacuumedJson,
} from './database.schemas.ts';
import type { IndexListQuery, TableListQuery, VacuumBody } from './database.schemas.ts';

/** Bytes and a name. */
const TABLE_POSITION = /^(\d{1,15})\/(.+)$/su;

/** Sizes change while somebody turns pages: what has grown meanwhile may be missed, as its place is before the cursor. */
function isAfter({ totalBytes, table }: TableFacts, position: string): boolean {
  const [, bytes = '', name = ''] = TABLE_POSITION.exec(position) ?? [];
  return totalBytes < Number(bytes) || (totalBytes === Number(bytes) && table > name);
}

@ApiTags('database')
@Controller('api/v1/database')
export class DatabaseController {
  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(SETTINGS) private readonly settings: Settings<'api'>,
  ) {}

  @Get('health')
  @Operation({
    scope: 'read',
    summary: 'How the database is doing',
    answers: {
      200: { description: 'Figures and what is wrong with them', schema: envelopeOf(databaseHealthJson) },
    },
  })
  async getDatabaseHealth(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof databaseHealthJson>>> {
    return success(reply, toDatabaseHealthJson(await databaseHealth(this.engine.db)));
  }

  @Get('tables')
  @Operation({
    scope: 'read',
    summary: 'List tables with their sizes, the largest first',
    answers: { 200: { description: 'One page', schema: listOf(tableJson) } },
  })
  async listTables(
    @Query({ schema: tableListQuery }) query: TableListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof tableJson>>> {
    const position = positionOf('tables', query, (text) => TABLE_POSITION.test(text));
    const tables = await listTables(this.engine.db);
    const rest = position === undefined ? tables : tables.filter((table) => isAfter(table, position));
    const page = pageOf(query, rest, toTableJson);
    const last = rest[query.offset + page.items.length - 1];
    return list(reply, query, {
      ...page,
      total: tables.length,
      nextCursor: last === undefined ? null : encodeCursor('tables', `${last.totalBytes}/${last.table}`),
    });
  }

  @Get('indexes')
  @Operation({
    scope: 'read',
    summary: 'List indexes that nothing needs, or all, the largest first',
    answers: { 200: { description: 'One page', schema: listOf(indexJson) } },
  })
  async listIndexes(
    @Query({ schema: indexListQuery }) query: IndexListQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof indexJson>>> {
    const indexes = toIndexJsons(await listIndexes(this.engine.db, query.unused));
    return list(
      reply,
      query,
      pageOf(query, indexes, (index) => index),
    );
  }

  @Get('schema')
  @Operation({
    scope: 'read',
    summary: 'The schema as it stands in the database',
    answers: { 200: { description: 'Tables by name', schema: envelopeOf(schemaJson) } },
  })
  async getSchema(
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof schemaJson>>> {
    return success(reply, toSchemaJson(await describeSchema(this.engine.db)));
  }

  @Post('vacuum')
  @HttpCode(200)
  @Operation({
    scope: 'admin',
    summary: 'Vacuum and analyze a table',
    description:
      'Answers when it is done, which takes as long as the table is large; reads and writes go on meanwhile. It is done as the role that the API logs in with, which must own the table or hold MAINTAIN on it.',
    answers: { 200: { description: 'Vacuumed', schema: envelopeOf(vacuumedJson) } },
    problems: ['LOCKED', 'UNSUPPORTED_MEDIA_TYPE'],
  })
  async vacuum(
    @Body({ schema: vacuumBody }) body: VacuumBody,
    @Query({ schema: noQuery }) _query: NoQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Envelope<z.infer<typeof vacuumedJson>>> {
    const outcome = await vacuumTable(this.settings.database.url.reveal(), body.table);
    switch (outcome.type) {
      case 'vacuumed':
        return success(reply, toVacuumedJson(outcome));
      case 'unknown_table':
        throw invalid([
          {
            field: 'table',
            code: 'unknown_table',
            message: `given ${JSON.stringify(body.table)}; allowed: a table that GET /api/v1/database/tables names`,
          },
        ]);
      case 'not_permitted':
        throw new HttpProblem(
          'FORBIDDEN',
          `the role ${outcome.role}, which the API logs in with, may not vacuum ${outcome.table}; let the table's owner ` +
            `do it, or, from Postgres 17 on, GRANT MAINTAIN ON ${outcome.table} to that role`,
        );
      case 'busy':
        throw new HttpProblem(
          'LOCKED',
          `${outcome.table} is being vacuumed or changed by somebody else; try again later`,
        );
      default:
        return assertNever(outcome);
    }
  }
}
