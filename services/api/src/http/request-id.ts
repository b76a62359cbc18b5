import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Safe to write into logs, headers and JSON as it is. */
const SAFE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** The caller's X-Request-Id when it is safe to repeat, else a new one. */
export function requestIdOf(message: Pick<IncomingMessage, 'headers'>): string {
  const given = message.headers['x-request-id'];
  return typeof given === 'string' && SAFE.test(given) ? given : randomUUID();
}
