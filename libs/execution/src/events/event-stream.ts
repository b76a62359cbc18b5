/**
 * The events one client asked for: those it has missed from Postgres, then those that come.
 *
 * 1. An item's cursor says where to resume once the item was seen; what comes again then is told by its event id.
 * 2. Between what was missed and what comes there is no gap: what is read from Postgres ends at the horizon, and what was
 * passed on beyond it is taken over in the same turn. 3. A client that is slower than the events is cut off: nothing
 * waits for it, and what waits in memory is bounded.
 */
import { eventsBetween, runEventsBetween } from '@spine/database';
import type { Queryable } from '@spine/database';
import { matches, needsFacts } from './filter.ts';
import type { EventFilter } from './filter.ts';
import { LiveEvent } from './live-event.ts';
import type { EventBatch } from './live-event.ts';
import type { RunFactsCache } from './run-facts.ts';
import type { TailUse } from './tailer.ts';
import { WaitingBatches } from './waiting.ts';

export interface StreamRequest {
  readonly filter: EventFilter;
  /** Only what comes after this cursor; null for what comes from now on. */
  readonly after: number | null;
  /** Ends with the terminal event of the run in the filter. */
  readonly untilTerminal: boolean;
}

export type StreamItem =
  | ({ readonly type: 'events' } & EventBatch)
  /** Nothing came for a while. */
  | { readonly type: 'heartbeat'; readonly cursor: number }
  /** The last item. */
  | { readonly type: 'end'; readonly reason: StreamEnd };

/** Why a stream ends: the run has ended; the client is too slow, or this process stops, and the client may resume. */
export type StreamEnd = 'terminal' | 'too_slow' | 'shutdown';

export interface StreamOptions {
  readonly db: Queryable;
  readonly facts: RunFactsCache;
  readonly use: TailUse;
  /** The client is gone. */
  readonly signal: AbortSignal;
  /** This process stops. */
  readonly closing: AbortSignal;
  /** Default 15 s. */
  readonly heartbeatMs?: number | undefined;
  /** Events that may wait for the client. Default 10,000. */
  readonly maxWaiting?: number | undefined;
}

/** Ids that one statement reads, or events of one run. */
const SPAN = 2_000;
const RUN_PAGE = 500;

/** A stream without a cursor begins with what comes after this call. */
export function eventStream(
  request: StreamRequest,
  options: StreamOptions,
): AsyncGenerator<StreamItem, void, undefined> {
  const { after } = request;
  return after === null ? live(request, options, follow(options, null)) : resume(request, options, after);
}

/** What was missed, then what comes. */
async function* resume(
  request: StreamRequest,
  options: StreamOptions,
  after: number,
): AsyncGenerator<StreamItem, void, undefined> {
  const { use, signal, closing } = options;
  for (let cursor = after; cursor < use.safe && !signal.aborted && !closing.aborted;) {
    const missed = await readMissed(options.db, request.filter, cursor, use.safe);
    cursor = missed.cursor;
    const events = await wantedOf(request.filter, missed, options.facts);
    if (events.length > 0) yield { type: 'events', events, cursor };
    if (endsRun(request, missed)) return yield { type: 'end', reason: 'terminal' };
  }
  // In the same turn as the last look at the horizon: nothing falls in between.
  yield* live(request, options, follow(options, after));
}

/** Queues what comes from now on; after a cursor also what was passed on beyond the horizon. */
function follow({ use, maxWaiting = 10_000 }: StreamOptions, after: number | null): WaitingBatches {
  const waiting = new WaitingBatches(maxWaiting, Math.max(use.safe, after ?? 0));
  const taken = use.follow((batch) => waiting.put(batch));
  if (after !== null) waiting.put({ ...taken, events: taken.events.filter(({ id }) => id > after) });
  return waiting;
}

async function* live(
  request: StreamRequest,
  { facts, signal, closing, heartbeatMs = 15_000 }: StreamOptions,
  waiting: WaitingBatches,
): AsyncGenerator<StreamItem, void, undefined> {
  const stop = AbortSignal.any([signal, closing]);
  while (!signal.aborted) {
    if (closing.aborted) return yield { type: 'end', reason: 'shutdown' };
    const batch = waiting.take();
    if (batch !== null) {
      const events = await wantedOf(request.filter, batch, facts);
      if (events.length > 0) yield { type: 'events', events, cursor: batch.cursor };
      if (endsRun(request, batch)) return yield { type: 'end', reason: 'terminal' };
    } else if (waiting.isOverfull) {
      return yield { type: 'end', reason: 'too_slow' };
    } else if (!(await waiting.comes(heartbeatMs, stop)) && !stop.aborted) {
      yield { type: 'heartbeat', cursor: waiting.cursor };
    }
  }
}

/** The next events after a cursor, all of them settled. */
async function readMissed(
  db: Queryable,
  { runId }: EventFilter,
  after: number,
  safe: number,
): Promise<EventBatch> {
  if (runId === undefined) {
    const until = Math.min(after + SPAN, safe);
    const events = await eventsBetween(db, after, until);
    return { events: events.map((event) => new LiveEvent(event)), cursor: until };
  }
  const events = await runEventsBetween(db, runId, after, safe, RUN_PAGE);
  const live = events.map((event) => new LiveEvent(event));
  return { events: live, cursor: live.length < RUN_PAGE ? safe : (live.at(-1)?.id ?? safe) };
}

async function wantedOf(
  filter: EventFilter,
  { events }: EventBatch,
  cache: RunFactsCache,
): Promise<readonly LiveEvent[]> {
  if (!needsFacts(filter)) return events.filter(({ event }) => matches(filter, event, undefined));
  const facts = await cache.of(events.map(({ event }) => event));
  return events.filter(({ event }) => matches(filter, event, facts.get(event.runId)));
}

function endsRun({ untilTerminal, filter }: StreamRequest, { events }: EventBatch): boolean {
  return untilTerminal && events.some(({ event }) => event.terminal && event.runId === filter.runId);
}
