/**
 * Paths to one value in JSON: the singular queries of RFC 9535 (`$.a.b[0]['c d']`). Own properties and elements only.
 */
import { ValidationError } from '../errors/permanent.ts';

export interface JsonLocation {
  readonly path: string;
  /** The value there; undefined when there is none. */
  read(value: unknown): unknown;
}

const MAX_LENGTH = 500;
/** A name after a dot, a name in quotes, or an index; negative ones count from the end. */
const SEGMENT = /\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^'\\]*)'\]|\["([^"\\]*)"\]|\[(-?(?:0|[1-9]\d{0,8}))\]/y;

/** @throws ValidationError naming `field` for what is no such path. */
export function parseJsonLocation(path: string, field = 'path'): JsonLocation {
  const steps: (string | number)[] = [];
  let at = 1;
  while (path.startsWith('$') && at < path.length && path.length <= MAX_LENGTH) {
    SEGMENT.lastIndex = at;
    const match = SEGMENT.exec(path);
    if (match === null) break;
    const [, dotted, single, double, index] = match;
    steps.push(index === undefined ? (dotted ?? single ?? double ?? '') : Number(index));
    at = SEGMENT.lastIndex;
  }
  if (!path.startsWith('$') || at !== path.length) {
    const message = `${JSON.stringify(path.slice(0, 80))} is not a path; write it as $.name['other name'][0]`;
    throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'invalid_path', message }] });
  }
  return { path, read: (value) => steps.reduce(step, value) };
}

function step(value: unknown, to: string | number): unknown {
  if (typeof to === 'number') return Array.isArray(value) ? (value as readonly unknown[]).at(to) : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, to))
    return undefined;
  return (value as Readonly<Record<string, unknown>>)[to];
}
