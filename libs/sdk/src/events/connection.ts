/**
 * One connection of a stream of events: from the request to its end.
 *
 * 1. A cursor is passed on in its place among the messages: everything before it came before it, so that who has taken it
 * may resume there. 2. A connection that is silent for `idleTimeoutMs`, heartbeats included, is given up: one that broke
 * without a word would be waited for for ever. 3. Whoever stops reading ends the connection.
 */
import { createParser } from 'eventsource-parser';
import { SpineAnswerError, SpineConnectionError, SpineTimeoutError } from '../errors.ts';
import { deadline } from '../http/deadline.ts';
import type { Transport } from '../http/transport.ts';
import { frameOf } from './messages.ts';
import type { Frame } from './messages.ts';

/** Characters of one event; the API's largest are 256 KiB. */
const MAX_EVENT = 4 * 1024 * 1024;

export type Received =
  | Frame
  | { readonly type: 'cursor'; readonly cursor: string }
  | { readonly type: 'retry'; readonly ms: number }
  /** The API says that nothing will come. */
  | { readonly type: 'over' };

export interface ConnectionOptions {
  readonly path: string;
  readonly cursor: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Ends when the server ends the connection. @throws SpineProblem, SpineConnectionError, SpineAnswerError, or the signal's reason */
export async function* receive(
  transport: Transport,
  { path, cursor, headers, idleTimeoutMs, signal }: ConnectionOptions,
): AsyncGenerator<Received, void, undefined> {
  const idle = deadline(idleTimeoutMs, signal);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    const resume: Record<string, string> = cursor === null ? {} : { 'Last-Event-ID': cursor };
    const response = await transport.open(
      path,
      { ...headers, accept: 'text/event-stream', ...resume },
      idle.signal,
    );
    if (response.status === 204) return yield { type: 'over' };
    reader = bodyOf(response).getReader();
    const decoder = new TextDecoder();
    const waiting: Received[] = [];
    const parser = createParser({
      maxBufferSize: MAX_EVENT,
      onEvent: (message) => waiting.push(frameOf(message)),
      onId: (id) => waiting.push({ type: 'cursor', cursor: id }),
      onRetry: (ms) => waiting.push({ type: 'retry', ms }),
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      idle.extend();
      parser.feed(decoder.decode(value, { stream: true }));
      yield* inOrder(waiting.splice(0));
    }
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (idle.isOver()) {
      throw new SpineTimeoutError(`the stream of ${transport.baseUrl} was silent for ${idleTimeoutMs} ms`);
    }
    throw asFault(error, transport.baseUrl);
  } finally {
    idle.clear();
    // Of a connection that has ended or broken there is nothing left to cancel.
    await reader?.cancel().catch(() => undefined);
  }
}

/** An id that came with an event is told before it, and counts after it. */
function* inOrder(received: readonly Received[]): Generator<Received, void, undefined> {
  let held: Received | null = null;
  for (const each of received) {
    if (each.type === 'cursor') {
      if (held !== null) yield held;
      held = each;
    } else {
      yield each;
      if (held !== null) yield held;
      held = null;
    }
  }
  if (held !== null) yield held;
}

function bodyOf(response: Response): ReadableStream<Uint8Array> {
  const type = response.headers.get('content-type') ?? 'no content type';
  if (response.body !== null && type.startsWith('text/event-stream')) return response.body;
  throw new SpineAnswerError(`answered with ${type}, not with a stream of events`, response.status);
}

function asFault(error: unknown, baseUrl: string): unknown {
  // Reading a body that breaks off is a TypeError everywhere.
  if (error instanceof TypeError) {
    return new SpineConnectionError(`the stream of ${baseUrl} broke off`, { cause: error });
  }
  if (error instanceof SyntaxError) {
    return new SpineAnswerError('an event of the stream is no JSON', 200, { cause: error });
  }
  return error;
}
