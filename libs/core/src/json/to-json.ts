/**
 * What `JSON.stringify` would look at instead of `value`: the answer of its `toJSON` (dates, WeekEnding), or
 * the value itself.
 */
export function resolveToJson(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !('toJSON' in value)) return value;
  const { toJSON } = value;
  return typeof toJSON === 'function' ? (toJSON.call(value, String(key)) as unknown) : value;
}

/**
 * Whether the own enumerable properties of `value` are all there is to it: an object literal, a parsed object,
 * one without a prototype. A Map or a class instance is not: writing it as JSON would silently lose it.
 */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype !== 'object' || prototype === null) return true;
  // Not `=== Object.prototype`: an object literal of another realm is just as plain.
  return Object.getPrototypeOf(prototype) === null;
}

/** What to call a value that JSON has no place for. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== ''
    ? `an instance of ${name.slice(0, 100)}`
    : 'a class instance';
}
