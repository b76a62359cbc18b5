import { InvariantError } from './errors/permanent.ts';
import { truncateText } from './text.ts';

/**
 * Closes a switch over a union: does not compile while a case is missing, and throws InvariantError when a
 * value outside the type arrives at run time.
 */
export function assertNever(value: never): never {
  throw new InvariantError(`unexpected value: ${outline(value)}`);
}

/** Throws InvariantError with `message` unless `condition` holds. For faults in Spine, not for bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The fields that tell the members of a union apart. */
const DISCRIMINANTS = ['kind', 'type', 'status'] as const;

/** Of an object only the names of its fields and its discriminants: the other values may be secrets. */
function outline(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(truncateText(value, 100));
  if (typeof value !== 'object' || value === null) return truncateText(String(value), 100);
  const shown = Object.keys(value).slice(0, 10);
  for (const name of DISCRIMINANTS) {
    const field: unknown = Reflect.get(value, name);
    const index = shown.indexOf(name);
    if (typeof field === 'string' && index >= 0)
      shown[index] = `${name}: ${JSON.stringify(truncateText(field, 100))}`;
  }
  return `{ ${shown.join(', ')} }`;
}
