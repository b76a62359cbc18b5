import { ValidationError } from '../errors/permanent.ts';
import { childPath } from './json-path.ts';
import { DEFAULT_MAX_JSON_DEPTH } from './json-problem.ts';
import { isPlainObject, kindOf, resolveToJson } from './to-json.ts';

/**
 * The one text of a JSON value, after RFC 8785: keys sorted by UTF-16 code units, no white space, numbers as
 * JavaScript writes them (so -0 is 0). Equal values give equal text whatever the order their keys were set
 * in, which is what makes hashes and keys comparable.
 *
 * Own enumerable properties count; those that are undefined are left out, and `toJSON` is followed. Throws
 * ValidationError, with the place as issue, for what has no such text: undefined (whole value or array item),
 * NaN, infinities, BigInt, symbols, functions, class instances, cycles, lone surrogates, nesting over 64 levels.
 */
export function canonicalJson(value: unknown): string {
  return write(value, ROOT, new Set());
}

interface Place {
  readonly parent: Place | null;
  readonly key: string | number;
}

const ROOT: Place = { parent: null, key: '' };

function write(raw: unknown, place: Place, ancestors: Set<object>): string {
  const value = resolveToJson(raw, place.key);
  switch (typeof value) {
    case 'string':
      return writeText(value, place);
    case 'number':
      if (!Number.isFinite(value)) throw refused(place, `${value} is not a JSON number`);
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : writeObject(value, place, ancestors);
    case 'bigint':
    case 'symbol':
    case 'function':
    case 'undefined':
      throw refused(place, `JSON has no place for ${kindOf(value)}`);
  }
}

function writeText(text: string, place: Place): string {
  if (!text.isWellFormed()) throw refused(place, 'text and keys must not contain lone surrogates');
  return JSON.stringify(text);
}

function writeObject(value: object, place: Place, ancestors: Set<object>): string {
  if (ancestors.has(value)) throw refused(place, 'the value contains itself');
  if (ancestors.size === DEFAULT_MAX_JSON_DEPTH) {
    throw refused(place, `arrays and objects may nest at most ${DEFAULT_MAX_JSON_DEPTH} levels`);
  }
  ancestors.add(value);
  const text = Array.isArray(value)
    ? writeItems(value, place, ancestors)
    : writeMembers(value, place, ancestors);
  ancestors.delete(value);
  return text;
}

function writeItems(value: readonly unknown[], place: Place, ancestors: Set<object>): string {
  const items: string[] = [];
  // By index, not map(): a hole must be refused like any undefined item.
  for (let index = 0; index < value.length; index += 1) {
    items.push(write(value[index], { parent: place, key: index }, ancestors));
  }
  return `[${items.join(',')}]`;
}

function writeMembers(value: object, place: Place, ancestors: Set<object>): string {
  if (!isPlainObject(value)) throw refused(place, `JSON has no place for ${kindOf(value)}`);
  const members: string[] = [];
  // The default order compares UTF-16 code units, as RFC 8785 asks; localeCompare does not.
  for (const key of Object.keys(value).sort()) {
    const member: unknown = Reflect.get(value, key);
    if (member === undefined) continue;
    const child: Place = { parent: place, key };
    members.push(`${writeText(key, child)}:${write(member, child, ancestors)}`);
  }
  return `{${members.join(',')}}`;
}

function refused(place: Place, message: string): ValidationError {
  const field = fieldOf(place);
  return new ValidationError(`${field === '' ? 'the value' : field}: ${message}`, {
    issues: [{ field, code: 'not_canonical', message }],
  });
}

function fieldOf(place: Place): string {
  return place.parent === null ? '' : childPath(fieldOf(place.parent), place.key);
}
