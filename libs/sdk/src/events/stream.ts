/**
 * A stream of events over as many connections as it takes.
 *
 * 1. Each connection resumes at the last cursor that came, so nothing is left out; what comes again is dropped by its
 * event_id. 2. A cursor is told to `onCursor` when everything before it was taken: who keeps it can resume there in
 * another process. 3. Connections that fail in a row are waited between, longer each time, and counted; anything that
 * comes sets the count back. 4. What will not pass (bad input, no access, no such run) is thrown at once.
 */
import { SpineConnectionError } from '../errors.ts';
import { sleep } from '../http/deadline.ts';
import { retryDelayMs } from '../http/retry-policy.ts';
import type { Failure, RetryPolicy } from '../http/retry-policy.ts';
import { failureOf } from '../http/transport.ts';
import type { Transport } from '../http/transport.ts';
import { whole } from '../http/whole.ts';
import { receive } from './connection.ts';
import { SeenIds } from './messages.ts';
import type { StreamMessage } from './messages.ts';

/** A server sends again what was passed on beyond its horizon, at most 20,000; the history of one run may be longer. */
const MAX_SEEN = 50_000;

export interface FollowOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where to resume, as `onCursor` gave it. Default: a run's first event, or what comes from now on. */
  readonly lastEventId?: string | undefined;
  /** Is told a cursor once everything before it was taken. */
  readonly onCursor?: ((cursor: string) => void) | undefined;
  /** Connections that may fail in a row before the failure is thrown. Default 10. */
  readonly reconnects?: number | undefined;
  /** Silence after which a connection counts as broken; the API sends something every 15 s. Default 45,000. */
  readonly idleTimeoutMs?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export async function* follow(
  transport: Transport,
  path: string,
  backoff: RetryPolicy,
  options: FollowOptions,
): AsyncGenerator<StreamMessage, void, undefined> {
  const { signal, onCursor, headers = {} } = options;
  const idleTimeoutMs = whole('idleTimeoutMs', options.idleTimeoutMs ?? 45_000, 1);
  const policy: RetryPolicy = { ...backoff, retries: whole('reconnects', options.reconnects ?? 10, 0) };
  const seen = new SeenIds(MAX_SEEN);
  let cursor = options.lastEventId ?? null;
  let failures = 0;
  for (;;) {
    let failure: Failure = { type: 'no_answer' };
    let fault: unknown = new SpineConnectionError(`${transport.baseUrl} ends the stream again and again`);
    try {
      for await (const received of receive(transport, { path, cursor, headers, idleTimeoutMs, signal })) {
        switch (received.type) {
          case 'over':
            return;
          case 'end':
            if (received.reason === 'terminal') return;
            break;
          case 'cursor':
            failures = 0;
            ({ cursor } = received);
            onCursor?.(cursor);
            break;
          case 'run_event':
            failures = 0;
            if (seen.add(received.event.event_id)) yield received;
            break;
          case 'published':
          case 'gap':
            yield received;
            break;
          case 'retry':
          case 'unknown':
            break;
        }
      }
    } catch (error) {
      const passing = failureOf(error);
      if (passing === null) throw error;
      failure = passing;
      fault = error;
    }
    failures += 1;
    const delay = retryDelayMs(failure, failures, policy, Math.random());
    if (delay === null) throw fault;
    await sleep(delay, signal);
  }
}
