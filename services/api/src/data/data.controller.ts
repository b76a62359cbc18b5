import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { isPlainDate } from '@spine/core';
import type { PlainDate } from '@spine/core';
import type { Db } from '@spine/database';
import type { Engine } from '@spine/execution';
import { knownWeek, listVenues, listWeeks, symbolHistory, topSymbols } from '@spine/finra-otc';
import type { KnownFilter, SymbolPosition, SymbolWeek, Tier } from '@spine/finra-otc';
import { listOf } from '../http/envelope.ts';
import { encodeCursor, list, positionOf } from '../http/paging.ts';
import type { ListEnvelope } from '../http/paging.ts';
import { HttpProblem, invalid } from '../http/problem.ts';
import { Operation } from '../openapi/operation.decorator.ts';
import { pageOf } from '../stats/in-memory-page.ts';
import { ENGINE } from '../tokens.ts';
import {
  historyQuery,
  symbolJson,
  symbolOf,
  symbolsQuery,
  venueJson,
  venuesQuery,
  weekJson,
  weeksQuery,
} from './data.schemas.ts';
import type { HistoryQuery, SymbolsQuery, VenuesQuery, WeeksQuery } from './data.schemas.ts';

interface Asked {
  readonly tier: Tier;
  readonly as_of?: string | undefined;
}

function filterOf({ tier, as_of }: Asked): KnownFilter {
  return { tier, asOf: as_of ?? null };
}

/** Nothing was known: said as such, for an empty list would look like a week without trading. */
function nothingKnown(
  what: string,
  { tier, as_of }: Asked,
  week: PlainDate | undefined,
  hint: string,
): HttpProblem {
  const when = as_of === undefined ? '' : ` at ${as_of}`;
  const of = week === undefined ? 'of any week' : `of the week ending ${week}`;
  return new HttpProblem('NOT_FOUND', `no ${what} ${of} of tier ${tier} were known${when}; ${hint}`);
}

const WEEKS_HINT = 'GET /api/v1/data/weeks lists what is there';
/** A week that is aggregated is listed there although nobody has calculated its venues. */
const VENUES_HINT = `${WEEKS_HINT}, and finra.otc_transparency.compute_venue_share calculates the venues of a week`;

/** A week date in a cursor; null for the first page. */
function weekPosition(name: string, query: WeeksQuery | HistoryQuery): PlainDate | null {
  const position = positionOf(name, query, isPlainDate);
  return position !== undefined && isPlainDate(position) ? position : null;
}

const SYMBOL_POSITION = /^(\d{1,30})\|([A-Z0-9.]{1,20})$/;

function symbolPosition(query: SymbolsQuery): SymbolPosition | null {
  const position = positionOf('data_symbols', query, (text) => SYMBOL_POSITION.test(text));
  const [, totalShares, symbol] = SYMBOL_POSITION.exec(position ?? '') ?? [];
  return totalShares === undefined || symbol === undefined ? null : { totalShares, symbol };
}

interface Provenance {
  readonly weekEnding: PlainDate;
  readonly tier: Tier;
  readonly captureId: string;
  readonly capturedAt: string;
}

function provenanceJson({ weekEnding, tier, captureId, capturedAt }: Provenance) {
  return { week_ending: weekEnding, tier, capture_id: captureId, captured_at: capturedAt };
}

function toSymbolJson(row: SymbolWeek, of: Provenance): z.infer<typeof symbolJson> {
  return {
    symbol: row.symbol,
    issue_name: row.issueName,
    ...provenanceJson(of),
    total_shares: row.totalShares,
    total_trades: row.totalTrades,
    venue_count: row.venueCount,
    avg_trade_size: row.avgTradeSize,
  };
}

@ApiTags('data')
@Controller('api/v1/data')
export class DataController {
  readonly #db: Db;

  constructor(@Inject(ENGINE) engine: Engine) {
    this.#db = engine.db;
  }

  @Get('weeks')
  @Operation({
    scope: 'read',
    summary: 'List the weeks of a tier, newest first',
    description: 'Of each week the newest capture that was known, with its totals.',
    answers: { 200: { description: 'One page', schema: listOf(weekJson) } },
  })
  async listDataWeeks(
    @Query({ schema: weeksQuery }) query: WeeksQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof weekJson>>> {
    const after = weekPosition('data_weeks', query);
    const { limit, offset } = query;
    const found = await listWeeks(this.#db, filterOf(query), { limit, offset, after });
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map((each) => ({
        ...provenanceJson(each),
        calc_version: each.calcVersion,
        symbol_count: each.symbolCount,
        venue_count: each.venueCount,
        total_shares: each.totalShares,
        total_trades: each.totalTrades,
      })),
      nextCursor: last === undefined ? null : encodeCursor('data_weeks', last.weekEnding),
    });
  }

  @Get('symbols')
  @Operation({
    scope: 'read',
    summary: 'List the symbols of a week, most shares first',
    answers: { 200: { description: 'One page', schema: listOf(symbolJson) } },
    problems: ['NOT_FOUND'],
  })
  async listDataSymbols(
    @Query({ schema: symbolsQuery }) query: SymbolsQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof symbolJson>>> {
    const after = symbolPosition(query);
    const week = await knownWeek(this.#db, filterOf(query), query.week ?? null);
    if (week === null) throw nothingKnown('symbols', query, query.week, WEEKS_HINT);
    const { limit, offset } = query;
    const found = await topSymbols(this.#db, week, { limit, offset, after });
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map((each) => toSymbolJson(each, week)),
      nextCursor:
        last === undefined ? null : encodeCursor('data_symbols', `${last.totalShares}|${last.symbol}`),
    });
  }

  @Get('symbols/:symbol/history')
  @Operation({
    scope: 'read',
    summary: 'List the weeks of a symbol, newest first',
    description: 'Weeks in which the symbol was not traded are not listed.',
    answers: { 200: { description: 'One page', schema: listOf(symbolJson) } },
  })
  async listSymbolHistory(
    @Param('symbol') text: string,
    @Query({ schema: historyQuery }) query: HistoryQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof symbolJson>>> {
    const symbol = symbolOf(text);
    if (symbol === null) {
      const message = 'is not a symbol; allowed are letters and digits, in parts joined by space . / or -, 20 in all';
      throw invalid([{ field: 'symbol', code: 'invalid_symbol', message }]);
    }
    const after = weekPosition('data_history', query);
    const { limit, offset } = query;
    const found = await symbolHistory(this.#db, filterOf(query), symbol, { limit, offset, after });
    const last = found.items.at(-1);
    return list(reply, query, {
      ...found,
      items: found.items.map((each) => toSymbolJson(each, each)),
      nextCursor: last === undefined ? null : encodeCursor('data_history', last.weekEnding),
    });
  }

  @Get('venues')
  @Operation({
    scope: 'read',
    summary: 'List the venues of a week by their part of its shares',
    answers: { 200: { description: 'One page', schema: listOf(venueJson) } },
    problems: ['NOT_FOUND'],
  })
  async listDataVenues(
    @Query({ schema: venuesQuery }) query: VenuesQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ListEnvelope<z.infer<typeof venueJson>>> {
    const venues = await listVenues(this.#db, filterOf(query), query.week ?? null);
    if (venues.length === 0) throw nothingKnown('venue shares', query, query.week, VENUES_HINT);
    const page = pageOf(query, venues, (each) => ({
      mpid: each.mpid,
      venue_name: each.venueName,
      ...provenanceJson(each),
      total_shares: each.totalShares,
      total_trades: each.totalTrades,
      symbol_count: each.symbolCount,
      share: each.share,
      rank: each.rank,
    }));
    return list(reply, query, page);
  }
}
