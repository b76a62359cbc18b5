/** What comes over a stream of events, from the frames of server-sent events. */
import type { EventSourceMessage } from 'eventsource-parser';
import type { PublishedEvent, RunEvent } from '../generated/index.ts';

export type StreamMessage =
  /** Of a run; at least once, and once within one stream of this client. */
  | { readonly type: 'run_event'; readonly event: RunEvent }
  /** Published by a client; at most once. */
  | { readonly type: 'published'; readonly event: PublishedEvent }
  /** Published events may be missing here. */
  | { readonly type: 'gap'; readonly reason: string };

export type Frame =
  | StreamMessage
  | { readonly type: 'end'; readonly reason: string }
  /** Of an API newer than this client. */
  | { readonly type: 'unknown' };

/** @throws SyntaxError for data that is no JSON */
export function frameOf({ event, data }: EventSourceMessage): Frame {
  switch (event ?? 'message') {
    case 'message':
      return { type: 'run_event', event: JSON.parse(data) as RunEvent };
    case 'published':
      return { type: 'published', event: JSON.parse(data) as PublishedEvent };
    case 'gap':
      return { type: 'gap', reason: (JSON.parse(data) as { reason: string }).reason };
    case 'end':
      return { type: 'end', reason: (JSON.parse(data) as { reason: string }).reason };
    default:
      return { type: 'unknown' };
  }
}

/** The last ids that were seen, as many as a server may send again after a reconnect. */
export class SeenIds {
  readonly #ids = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether this one comes for the first time. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#max) {
      const [oldest] = this.#ids;
      if (oldest !== undefined) this.#ids.delete(oldest);
    }
    return true;
  }
}
