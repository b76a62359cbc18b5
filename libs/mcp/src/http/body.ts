/** The message of a request, read whole and no further than it may be long. */
import type { IncomingMessage } from 'node:http';
import { MAX_BATCH, MAX_MESSAGE_BYTES } from '../limits.ts';

export type Body =
  | { readonly type: 'read'; readonly message: unknown }
  | { readonly type: 'refused'; readonly status: 400 | 413; readonly message: string };

const TOO_LARGE: Body = {
  type: 'refused',
  status: 413,
  message: `a message has at most ${MAX_MESSAGE_BYTES} bytes`,
};

/** @throws when the connection breaks off */
export async function readBody(request: IncomingMessage): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_MESSAGE_BYTES) return TOO_LARGE;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_MESSAGE_BYTES) return TOO_LARGE;
    chunks.push(chunk);
  }
  let message: unknown;
  try {
    message = JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    return { type: 'refused', status: 400, message: 'the message is not JSON' };
  }
  // Old clients send several in one; each answer may be a thousand times as long as its question.
  if (Array.isArray(message) && message.length > MAX_BATCH) {
    return { type: 'refused', status: 400, message: `at most ${MAX_BATCH} messages in one` };
  }
  return { type: 'read', message };
}
