/**
 * The events of runs, `run.submitted`, `run.started`, `run.completed` and the rest, for subscribers of this process.
 *
 * 1. They are read from Postgres, where every process finds all of them: nobody publishes them, so that none is told twice
 * and the hot path pays nothing. 2. They are followed as by a client of the event stream: each event once while it is open,
 * none left out. When it breaks, subscribers are told of the gap and it is opened anew. 3. Stopping ends the one that was
 * started, however often that was asked for in between.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseStrictJson } from '@spine/core';
import type { RunEvent } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { EventStreams } from '../events/event-streams.ts';
import type { EventSink, LocalSource } from './base-bus.ts';
import { EventBusUnavailableError } from './bus.ts';
import type { BusEvent } from './event.ts';

export interface RunEventSourceOptions {
  readonly streams: Pick<EventStreams, 'open'>;
  readonly logger: Logger;
  /** Before it is followed anew. Default 1,000. */
  readonly pauseMs?: number;
}

interface Following {
  readonly stopping: AbortController;
  readonly opened: Promise<void>;
  readonly loop: Promise<void>;
}

/** As the bus has it. `data` is the event's own, beside the run it belongs to. */
function toBusEvent({
  eventId,
  eventType,
  source,
  timestamp,
  runId,
  epoch,
  terminal,
  data,
}: RunEvent): BusEvent {
  const parsed = parseStrictJson(JSON.stringify({ run_id: runId, epoch, terminal, data: data ?? null }));
  return Object.freeze({
    eventId,
    type: `run.${eventType}`,
    source,
    timestamp: timestamp.toISOString(),
    data: parsed.ok ? parsed.value : { run_id: runId, epoch, terminal, data: null },
  });
}

export class RunEventSource implements LocalSource {
  readonly prefix = 'run';
  readonly #options: RunEventSourceOptions;
  #following: Following | null = null;

  constructor(options: RunEventSourceOptions) {
    this.#options = options;
  }

  start(sink: EventSink): Promise<void> {
    this.#following ??= this.#follow(sink);
    return this.#following.opened;
  }

  async stop(): Promise<void> {
    const following = this.#following;
    this.#following = null;
    following?.stopping.abort();
    await following?.loop;
  }

  #follow(sink: EventSink): Following {
    const stopping = new AbortController();
    let tell: (error?: Error) => void = () => undefined;
    const opened = new Promise<void>((resolve, reject) => {
      tell = (error) => (error === undefined ? resolve() : reject(error));
    });
    return { stopping, opened, loop: this.#run(sink, stopping.signal, tell) };
  }

  async #run(sink: EventSink, signal: AbortSignal, tell: (error?: Error) => void): Promise<void> {
    const { streams, logger, pauseMs = 1_000 } = this.#options;
    let before = false;
    while (!signal.aborted) {
      try {
        const outcome = await streams.open({ filter: {}, after: null, untilTerminal: false }, signal);
        if (outcome.type !== 'open') throw new EventBusUnavailableError(`events of runs: ${outcome.type}`);
        if (before) sink.gap('reconnected');
        before = true;
        tell();
        try {
          for await (const item of outcome.stream.items) {
            if (item.type !== 'events') continue;
            for (const { event } of item.events) sink.deliver(toBusEvent(event));
          }
        } finally {
          await outcome.stream.close();
        }
      } catch (error) {
        logger.debug({ err: error }, 'events of runs cannot be followed');
        tell(new EventBusUnavailableError('events of runs cannot be followed now', { cause: error }));
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    tell(new EventBusUnavailableError('the event bus is closed'));
  }
}
