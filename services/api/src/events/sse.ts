/**
 * Server-sent events over a raw HTTP response.
 *
 * 1. Of a batch only the last event carries an id: a client that is cut off in the middle of it resumes before it. 2. The
 * next batch is written when the client has taken the one before; one that takes nothing for too long is cut off.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { EventBatch, StreamItem } from '@spine/execution';

/** How long a client may take before it reads on. */
const DRAIN_MS = 30_000;
/** How long a client should wait before it comes back. */
const RETRY_MS = 2_000;

/** Sent first: a client that is cut off before anything else came resumes where it began, and misses nothing. */
export function preamble(cursor: number): string {
  return `retry: ${RETRY_MS}\nid: ${cursor}\n\n`;
}

function batchFrames({ events, cursor }: EventBatch): string {
  return events
    .map(({ json }, index) => `${index === events.length - 1 ? `id: ${cursor}\n` : ''}data: ${json}\n\n`)
    .join('');
}

/** An item as it goes over the wire. */
export function frames(item: StreamItem): string {
  switch (item.type) {
    case 'events':
      return batchFrames(item);
    case 'heartbeat':
      // An id without data moves the client's cursor and tells it nothing else.
      return `: heartbeat\nid: ${item.cursor}\n\n`;
    case 'end':
      return `event: end\ndata: ${JSON.stringify({ reason: item.reason })}\n\n`;
  }
}

/**
 * Writes, and waits until the client has room for more; false when it is gone or takes longer than `drainMs`. Default 30 s.
 */
export async function send(
  response: ServerResponse,
  text: string,
  drainMs: number = DRAIN_MS,
): Promise<boolean> {
  if (response.destroyed || response.writableEnded) return false;
  if (response.write(text)) return true;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), drainMs);
  try {
    await Promise.race([
      once(response, 'drain', { signal: over.signal }),
      once(response, 'close', { signal: over.signal }),
    ]);
    return !response.destroyed;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}
