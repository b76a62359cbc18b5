import type { JsonValue } from '../json/json-value.ts';
import { toStorableText, truncateText } from '../text.ts';

const MAX_DEPTH = 8;
const MAX_NODES = 500;
const MAX_TEXT = 4_000;
const MAX_KEY = 200;

/**
 * A JSON picture of anything, for logs and error records. Never throws and always ends: what cannot be
 * shown (cycles, functions, throwing getters, more than 500 values or 8 levels) becomes a short note in
 * brackets, text is cut at 4,000 characters and made storable.
 */
export function toPlainJson(value: unknown): JsonValue {
  return picture(value, { remaining: MAX_NODES, ancestors: new Set() });
}

interface Budget {
  remaining: number;
  readonly ancestors: Set<object>;
}

function picture(value: unknown, budget: Budget): JsonValue {
  if (budget.remaining <= 0) return '[cut]';
  budget.remaining -= 1;
  switch (typeof value) {
    case 'string':
      return toStorableText(truncateText(value, MAX_TEXT));
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return truncateText(String(value), MAX_TEXT);
    case 'undefined':
      return null;
    case 'symbol':
    case 'function':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : pictureObject(value, budget);
  }
}

function pictureObject(value: object, budget: Budget): JsonValue {
  if (budget.ancestors.has(value)) return '[cycle]';
  if (budget.ancestors.size >= MAX_DEPTH) return '[deeper]';
  budget.ancestors.add(value);
  try {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
    if (value instanceof Error) {
      const { name, message } = value;
      return { type: picture(name, budget), message: picture(message, budget) };
    }
    return Array.isArray(value) ? pictureArray(value, budget) : pictureFields(value, budget);
  } catch {
    return '[unreadable]';
  } finally {
    budget.ancestors.delete(value);
  }
}

function pictureArray(value: readonly unknown[], budget: Budget): JsonValue {
  const items: JsonValue[] = [];
  for (let index = 0; index < value.length; index += 1) {
    if (budget.remaining <= 0) {
      items.push('[cut]');
      break;
    }
    items.push(pictureMember(value, index, budget));
  }
  return items;
}

function pictureFields(value: object, budget: Budget): JsonValue {
  const fields: [string, JsonValue][] = [];
  for (const key of Object.keys(value)) {
    if (budget.remaining <= 0) {
      fields.push(['[cut]', true]);
      break;
    }
    fields.push([toStorableText(truncateText(key, MAX_KEY)), pictureMember(value, key, budget)]);
  }
  return Object.fromEntries(fields);
}

function pictureMember(owner: object, key: string | number, budget: Budget): JsonValue {
  let member: unknown;
  try {
    member = Reflect.get(owner, key);
  } catch {
    budget.remaining -= 1;
    return '[unreadable]';
  }
  return picture(member, budget);
}
