import { toError } from '../errors/error-info.ts';
import { childPath } from './json-path.ts';
import {
  DEFAULT_MAX_JSON_DEPTH,
  depthProblem,
  keyFlaw,
  MAX_JSON_PROBLEMS,
  textFlaw,
  type JsonFlaw,
  type JsonProblem,
} from './json-problem.ts';
import { isPlainObject, kindOf, resolveToJson } from './to-json.ts';

/**
 * What keeps a value in memory from being stored as JSON unchanged: at most 20 problems, empty when it can be.
 * It looks at what `JSON.stringify` would write (`toJSON` is followed, undefined properties are left out).
 * Every finite number passes: what the number was before it was parsed can only be told from the text, which
 * is `parseStrictJson`'s part. Never throws, whatever the value's getters and proxies do.
 *
 * Every submission comes by: a good value costs one small object for each array and object in it.
 */
export function findJsonProblems(
  value: unknown,
  options: { readonly maxDepth?: number } = {},
): readonly JsonProblem[] {
  const search: Search = { problems: [], maxDepth: options.maxDepth ?? DEFAULT_MAX_JSON_DEPTH };
  visit(value, null, '', search);
  return search.problems;
}

interface Search {
  readonly problems: JsonProblem[];
  readonly maxDepth: number;
}

/** An array or object open above the current place; meeting its value again is a cycle. */
interface Open {
  readonly value: object;
  /** Where it is itself. */
  readonly parent: Open | null;
  readonly key: string | number;
  /** How many are open with it. */
  readonly depth: number;
}

/** The path is only spelt out when there is something to say. */
function fieldOf(parent: Open | null, key: string | number): string {
  return parent === null ? '' : childPath(fieldOf(parent.parent, parent.key), key);
}

function isOpen(value: object, innermost: Open | null): boolean {
  for (let open = innermost; open !== null; open = open.parent) if (open.value === value) return true;
  return false;
}

function visit(raw: unknown, parent: Open | null, key: string | number, search: Search): void {
  try {
    visitValue(resolveToJson(raw, key), parent, key, search);
  } catch (thrown) {
    report(search, parent, key, unreadable(thrown));
  }
}

function visitValue(value: unknown, parent: Open | null, key: string | number, search: Search): void {
  switch (typeof value) {
    case 'boolean':
      return;
    case 'string': {
      const flaw = textFlaw(value);
      if (flaw !== null) report(search, parent, key, flaw);
      return;
    }
    case 'number':
      if (Number.isFinite(value)) return;
      return report(search, parent, key, { code: 'unsafe_number', message: `${value} is not a JSON number` });
    case 'object':
      if (value !== null) visitObject(value, parent, key, search);
      return;
    case 'bigint':
    case 'symbol':
    case 'function':
    case 'undefined':
      report(search, parent, key, notJson(`JSON has no place for ${kindOf(value)}`));
  }
}

function visitObject(value: object, parent: Open | null, key: string | number, search: Search): void {
  if (isOpen(value, parent)) return report(search, parent, key, notJson('the value contains itself'));
  const depth = parent === null ? 1 : parent.depth + 1;
  if (depth > search.maxDepth) {
    search.problems.push(depthProblem(fieldOf(parent, key), search.maxDepth));
    return;
  }
  const open: Open = { value, parent, key, depth };
  if (Array.isArray(value)) visitItems(value, open, search);
  else if (isPlainObject(value)) visitMembers(value, open, search);
  else report(search, parent, key, notJson(`JSON has no place for ${kindOf(value)}`));
}

function visitItems(items: readonly unknown[], open: Open, search: Search): void {
  for (let index = 0; index < items.length; index += 1) {
    if (search.problems.length >= MAX_JSON_PROBLEMS) return;
    let item: unknown;
    try {
      item = items[index];
    } catch (thrown) {
      report(search, open, index, unreadable(thrown));
      continue;
    }
    visit(item, open, index, search);
  }
}

function visitMembers(value: object, open: Open, search: Search): void {
  for (const key of Object.keys(value)) {
    if (search.problems.length >= MAX_JSON_PROBLEMS) return;
    let member: unknown;
    try {
      member = Reflect.get(value, key);
    } catch {
      report(search, open, key, notJson('cannot be read: its getter throws'));
      continue;
    }
    if (member === undefined) continue;
    const flaw = keyFlaw(key);
    if (flaw !== null) report(search, open, key, flaw);
    if (search.problems.length < MAX_JSON_PROBLEMS) visit(member, open, key, search);
  }
}

function notJson(message: string): JsonFlaw {
  return { code: 'not_json', message };
}

function unreadable(thrown: unknown): JsonFlaw {
  return notJson(`cannot be read: ${toError(thrown).name}`);
}

function report(search: Search, parent: Open | null, key: string | number, flaw: JsonFlaw): void {
  search.problems.push({ field: fieldOf(parent, key), ...flaw });
}
