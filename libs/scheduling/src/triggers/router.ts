/**
 * The event router: asks the triggers of an event's channel and starts their runs.
 *
 * 1. Runs, deliveries and the mark on the event commit together: a router that dies leaves the event open, and the next
 *    one routes it.
 * 2. An event starts one run of a trigger, whoever routes it how often, by a unique index over both.
 * 3. A trigger that cannot be asked is told of in its delivery and holds up no other; asking it asks nobody else, so
 *    that what is not there for a moment rejects no event.
 */
import { toErrorInfo } from '@spine/core';
import {
  deleteRoutedEvents,
  inTransaction,
  insertRuns,
  markRouted,
  recordDeliveries,
  takeInboundEvent,
  takeInboundEvents,
  triggersOf,
} from '@spine/database';
import type { InboundEvent, NewDelivery, NewRun, Pool, Queryable, TriggerRecord } from '@spine/database';
import { Ticker, workSpecFromJson, workSpecJson } from '@spine/execution';
import type { Dispatcher, Payloads } from '@spine/execution';
import type { Logger } from '@spine/observability';
import { matchEvent } from './match.ts';

export interface EventRouterOptions {
  readonly pool: Pool;
  readonly dispatcher: Dispatcher;
  /** Takes params that are too large for a run's row. */
  readonly payloads: Payloads;
}

export interface Routed {
  readonly deliveries: readonly NewDelivery[];
  /** More is open. */
  readonly more: boolean;
}

const BATCH = 100;
const TRANSACTION = { lockTimeoutMs: 5_000, idleTimeoutMs: 10_000 };
const MAX_REASON = 500;

interface Prepared {
  readonly delivery: NewDelivery;
  readonly run: NewRun | null;
}

export class EventRouter {
  readonly #options: EventRouterOptions;

  constructor(options: EventRouterOptions) {
    this.#options = options;
  }

  /** Routes what is open, oldest first. */
  routeOpen(limit = BATCH): Promise<Routed> {
    return this.#route((on) => takeInboundEvents(on, limit), limit);
  }

  /** Routes one event now, if nobody has. */
  routeOne(event: Pick<InboundEvent, 'source' | 'channel' | 'eventId'>): Promise<Routed> {
    return this.#route(async (on) => {
      const taken = await takeInboundEvent(on, event);
      return taken === null ? [] : [taken];
    }, 2);
  }

  async #route(take: (on: Queryable) => Promise<readonly InboundEvent[]>, limit: number): Promise<Routed> {
    const { pool, dispatcher, payloads } = this.#options;
    const hinted = dispatcher.hinting;
    const { routed, runs } = await inTransaction(pool, TRANSACTION, async (on) => {
      const events = await take(on);
      if (events.length === 0) return { routed: { deliveries: [], more: false }, runs: [] };
      const prepared = await this.#ask(events, await triggersOf(on, events));
      const deliveries = prepared.map(({ delivery }) => delivery);
      const fresh = await recordDeliveries(on, deliveries);
      const fitting = prepared.flatMap(({ run }, index) => (run !== null && fresh.has(index) ? [run] : []));
      const started = await Promise.all(fitting.map((run) => payloads.stow(run)));
      await insertRuns(on, started, { ambiguous: false, hinted });
      await markRouted(
        on,
        events.map(({ seq }) => seq),
      );
      return {
        routed: {
          deliveries: deliveries.filter((_, index) => fresh.has(index)),
          more: events.length === limit,
        },
        runs: started,
      };
    });
    dispatcher.announce(runs, hinted);
    return routed;
  }

  async #ask(events: readonly InboundEvent[], triggers: readonly TriggerRecord[]): Promise<Prepared[]> {
    const prepared: Prepared[] = [];
    for (const event of events) {
      for (const trigger of triggers) {
        if (trigger.source === event.source && trigger.channel === event.channel)
          prepared.push(await this.#deliver(trigger, event));
      }
    }
    return prepared;
  }

  async #deliver(trigger: TriggerRecord, event: InboundEvent): Promise<Prepared> {
    const { eventId, eventType, receivedAt } = event;
    const base = { triggerId: trigger.triggerId, eventId, eventType, receivedAt, reason: null, runId: null };
    const rejected = (reason: string): Prepared => ({
      delivery: { ...base, status: 'REJECTED', reason: reason.slice(0, MAX_REASON) },
      run: null,
    });
    try {
      const match = matchEvent(trigger, event);
      if (match.type === 'filtered') return { delivery: { ...base, status: 'FILTERED' }, run: null };
      if (match.type === 'rejected') return rejected(match.reason);
      const spec = workSpecFromJson(workSpecJson.parse(trigger.work));
      const outcome = await this.#options.dispatcher.prepare(
        {
          ...spec,
          params: { ...spec.params, ...match.params },
          triggerSource: `trigger:${trigger.source}`,
          correlationId: spec.correlationId ?? `trigger:${trigger.triggerId}:${eventId}`.slice(0, 200),
          metadata: {
            ...spec.metadata,
            trigger_id: trigger.triggerId,
            trigger_name: trigger.name,
            event_id: eventId,
            event_type: eventType,
            trigger_depth: match.depth,
          },
        },
        { allowUnknown: 'unasked' },
      );
      if (outcome.type === 'prepared')
        return {
          delivery: { ...base, status: 'ACCEPTED', runId: outcome.run.runId },
          run: outcome.run,
        };
      return rejected(
        outcome.type === 'invalid'
          ? outcome.issues.map(({ field, message }) => `${field}: ${message}`).join('; ')
          : outcome.type,
      );
    } catch (error) {
      return rejected(toErrorInfo(error).message);
    }
  }
}

/** Routes what sources have brought. Any number of processes may do it at once. */
export function createEventRouter(
  options: EventRouterOptions & { readonly logger: Logger; readonly everyMs?: number },
): Ticker {
  const router = new EventRouter(options);
  return new Ticker({
    name: 'event-router',
    everyMs: options.everyMs ?? 1_000,
    logger: options.logger,
    tick: async () => {
      const { deliveries, more } = await router.routeOpen();
      for (const { triggerId, eventId, status, reason } of deliveries)
        if (status === 'REJECTED')
          options.logger.warn(
            { trigger_id: triggerId, event_id: eventId, reason },
            'event rejected by its trigger',
          );
      return more;
    },
  });
}

/**
 * Events are only needed until they are routed; their deliveries stay. A sender that repeats one later is still known by
 * these.
 */
const KEPT_DAYS = 7;

/** Deletes events that were routed a week ago. */
export function createTriggerSweep({
  pool,
  logger,
}: {
  readonly pool: Pool;
  readonly logger: Logger;
}): Ticker {
  return new Ticker({
    name: 'trigger-sweep',
    everyMs: 60_000,
    logger,
    tick: async () => (await deleteRoutedEvents(pool, KEPT_DAYS)) > 0,
  });
}
