import { toStorableText, truncateText } from '../text.ts';

const MAX_TYPE_LENGTH = 200;
/** An AggregateError's own message is often empty (refused connections); this many inner ones tell the story. */
const MAX_INNER_ERRORS = 5;

/**
 * The type and message of anything that can be thrown or used as a cause. Never throws: proxies and getters
 * that throw are described as unreadable. Both texts are storable; `message` has at most `maxLength`
 * UTF-16 code units and is never empty.
 */
export function describeThrown(thrown: unknown, maxLength: number): { type: string; message: string } {
  const type = attempt(() => typeOf(thrown)) ?? 'unreadable';
  const message = attempt(() => messageOf(thrown)) ?? `(the ${type} has no readable message)`;
  return { type: bounded(type, MAX_TYPE_LENGTH), message: bounded(message, maxLength) };
}

function bounded(text: string, maxLength: number): string {
  return toStorableText(truncateText(text, maxLength));
}

function typeOf(thrown: unknown): string {
  if (thrown === null) return 'null';
  if (typeof thrown !== 'object') return typeof thrown;
  return nonEmpty(Reflect.get(thrown, 'name')) ?? (thrown instanceof Error ? 'Error' : 'object');
}

function messageOf(thrown: unknown): string | null {
  if (typeof thrown === 'string') return thrown === '' ? '(empty string)' : thrown;
  if (typeof thrown === 'function') return 'a function was thrown';
  if (typeof thrown !== 'object' || thrown === null) return `${String(thrown)} was thrown`;
  return (
    nonEmpty(attempt(() => Reflect.get(thrown, 'message') as unknown)) ??
    attempt(() => innerMessages(thrown)) ??
    nonEmpty(attempt(() => Reflect.get(thrown, 'code') as unknown)) ??
    attempt(() => keysOf(thrown))
  );
}

function innerMessages(thrown: object): string | null {
  if (!(thrown instanceof AggregateError) || !Array.isArray(thrown.errors)) return null;
  const inner = thrown.errors
    .slice(0, MAX_INNER_ERRORS)
    .map((error: unknown) =>
      nonEmpty(attempt(() => Reflect.get(Object(error) as object, 'message') as unknown)),
    )
    .filter((message) => message !== null);
  return inner.length === 0 ? null : inner.join('; ');
}

/** Keys only: the values of an unknown object may be secrets. */
function keysOf(thrown: object): string | null {
  if (thrown instanceof Error) return null;
  const keys = Object.keys(thrown).slice(0, 10).join(', ');
  return keys === '' ? null : `an object with ${keys} was thrown`;
}

function nonEmpty(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
