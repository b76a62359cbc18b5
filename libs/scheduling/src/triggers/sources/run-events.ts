/**
 * Runs that have ended as a source.
 *
 * 1. The history of runs is read up to where nothing can appear any more, from a cursor that moves in the transaction
 *    that stores the events: each is stored once, whoever reads it.
 * 2. The first look begins where the history ends: what ended before there was a scheduler starts nothing.
 */
import {
  activeTriggers,
  appendInboundEvents,
  asQueryable,
  endedRunsBetween,
  eventWriters,
  lastEventId,
  moveCursor,
  readCursor,
} from '@spine/database';
import type { Db, EndedRun, NewInboundEvent } from '@spine/database';
import { EventHorizon, Ticker } from '@spine/execution';
import type { Logger } from '@spine/observability';
import { RUN_EVENTS } from '../define.ts';

export interface RunEventSourceOptions {
  readonly db: Db;
  readonly logger: Logger;
  /** Default 1 s. */
  readonly everyMs?: number;
}

const CURSOR = 'run_event';
/** Ids of events one look goes through. */
const SPAN = 2_000;
/** JSON of params or a result that travels with the event; larger ones are left out. */
const MAX_JSON = 16 * 1024;

export function createRunEventSource({ db, logger, everyMs = 1_000 }: RunEventSourceOptions): Ticker {
  const horizon = new EventHorizon();
  const on = asQueryable(db);
  return new Ticker({
    name: 'run-event-source',
    everyMs,
    logger,
    tick: async () => {
      const last = await lastEventId(on);
      if (!horizon.covers(last)) horizon.look(last, await eventWriters(on));
      const { settled } = horizon;
      if (settled === null) return false;
      const from = await readCursor(on, CURSOR);
      if (from === null) {
        await moveCursor(on, CURSOR, null, settled);
        return false;
      }
      if (settled <= from) return false;
      const wanted = (await activeTriggers(db, 'run_event')).length > 0;
      const until = wanted ? Math.min(from + SPAN, settled) : settled;
      const ended = wanted ? await endedRunsBetween(on, from, until) : [];
      await db.transaction().execute(async (trx) => {
        // Another process has read this far: its events are stored.
        if (!(await moveCursor(asQueryable(trx), CURSOR, from, until))) return;
        await appendInboundEvents(asQueryable(trx), ended.map(eventOf));
      });
      return until < settled;
    },
  });
}

function eventOf(run: EndedRun): NewInboundEvent {
  return {
    source: 'run_event',
    channel: RUN_EVENTS,
    eventId: run.runId,
    eventType: `run.${run.status}`,
    data: JSON.stringify({
      run_id: run.runId,
      status: run.status,
      kind: run.kind,
      name: run.name,
      lane: run.lane,
      tags: run.tags,
      correlation_id: run.correlationId,
      parent_run_id: run.parentRunId,
      metadata: run.metadata,
      params: smallEnough(run.params),
      result: smallEnough(run.result),
    }),
  };
}

function smallEnough(value: unknown): unknown {
  return value === null || JSON.stringify(value).length > MAX_JSON ? null : value;
}
