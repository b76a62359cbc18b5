import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type { PublishEventRequest, PublishedEvent, RunEvent, StreamEventsData } from '../generated/index.ts';
import type { RetryPolicy } from '../http/retry-policy.ts';
import type { StreamMessage } from './messages.ts';
import { follow } from './stream.ts';
import type { FollowOptions } from './stream.ts';

export type EventQuery = Omit<NonNullable<StreamEventsData['query']>, 'last_event_id' | 'types'> & {
  /** Default: all. */
  types?: readonly string[] | undefined;
};

/** Following what happens, as it happens. */
export class Events {
  readonly #connection: Connection;
  readonly #backoff: RetryPolicy;

  constructor(connection: Connection, backoff: RetryPolicy) {
    this.#connection = connection;
    this.#backoff = backoff;
  }

  /**
   * The events of runs. With `run_id` from the run's first event on, with `until_terminal` also to its last; otherwise
   * from now on, and never ending. Reconnects and resumes by itself; each event comes once.
   * @throws SpineProblem for what will not pass, SpineConnectionError when the API stays away, or the signal's reason
   */
  async *stream(query: EventQuery, options: FollowOptions = {}): AsyncGenerator<RunEvent, void, undefined> {
    for await (const message of this.messages(query, options)) {
      if (message.type === 'run_event') yield message.event;
    }
  }

  /** As `stream`, with the events that clients publish, and a `gap` where some of these may be missing. */
  messages(
    { types, ...query }: EventQuery,
    options: FollowOptions = {},
  ): AsyncGenerator<StreamMessage, void, undefined> {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) params.set(name, String(value));
    }
    if (types !== undefined) params.set('types', types.join(','));
    const path = `/api/v1/events/stream?${params.toString()}`;
    return follow(this.#connection.transport, path, this.#backoff, options);
  }

  /** Tells everybody who follows. Not repeated by itself: it would be told twice. */
  publish(event: PublishEventRequest, options?: CallOptions): Promise<PublishedEvent> {
    const { api, call } = this.#connection;
    return dataOf(api.publishEvent({ ...call(options), body: event }));
  }

  /** How events are followed from the API process that answers. */
  status(options?: CallOptions) {
    const { api, call } = this.#connection;
    return dataOf(api.getEventsStatus(call(options)));
  }
}
