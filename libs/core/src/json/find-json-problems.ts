import { toError } from '../errors/error-info.ts';
import { childPath } from './json-path.ts';
import {
  DEFAULT_MAX_JSON_DEPTH,
  depthProblem,
  keyProblem,
  MAX_JSON_PROBLEMS,
  textProblem,
  type JsonProblem,
} from './json-problem.ts';
import { isPlainObject, kindOf, resolveToJson } from './to-json.ts';

/**
 * What keeps a value in memory from being stored as JSON unchanged: at most 20 problems, empty when it can be.
 * It looks at what `JSON.stringify` would write (`toJSON` is followed, undefined properties are left out).
 * Every finite number passes: what the number was before it was parsed can only be told from the text, which
 * is `parseStrictJson`'s part. Never throws, whatever the value's getters and proxies do.
 */
export function findJsonProblems(
  value: unknown,
  options: { readonly maxDepth?: number } = {},
): readonly JsonProblem[] {
  const search: Search = {
    problems: [],
    ancestors: new Set(),
    maxDepth: options.maxDepth ?? DEFAULT_MAX_JSON_DEPTH,
  };
  visit(() => value, ROOT, search);
  return search.problems;
}

interface Search {
  readonly problems: JsonProblem[];
  /** The arrays and objects open above the current one; meeting one of them again is a cycle. */
  readonly ancestors: Set<object>;
  readonly maxDepth: number;
}

/** The path is only spelt out when there is something to say. */
interface Place {
  readonly parent: Place | null;
  readonly key: string | number;
}

const ROOT: Place = { parent: null, key: '' };

function fieldOf(place: Place): string {
  return place.parent === null ? '' : childPath(fieldOf(place.parent), place.key);
}

function visit(read: () => unknown, place: Place, search: Search): void {
  if (search.problems.length >= MAX_JSON_PROBLEMS) return;
  try {
    visitValue(resolveToJson(read(), place.key), place, search);
  } catch (thrown) {
    report(search, place, 'not_json', `cannot be read: ${toError(thrown).name}`);
  }
}

function visitValue(value: unknown, place: Place, search: Search): void {
  switch (typeof value) {
    case 'boolean':
      return;
    case 'string': {
      const problem = textProblem(value, () => fieldOf(place));
      if (problem !== null) search.problems.push(problem);
      return;
    }
    case 'number':
      if (!Number.isFinite(value)) report(search, place, 'unsafe_number', `${value} is not a JSON number`);
      return;
    case 'object':
      if (value !== null) visitObject(value, place, search);
      return;
    case 'bigint':
    case 'symbol':
    case 'function':
    case 'undefined':
      report(search, place, 'not_json', `JSON has no place for ${kindOf(value)}`);
  }
}

function visitObject(value: object, place: Place, search: Search): void {
  if (search.ancestors.has(value)) {
    return report(search, place, 'not_json', 'the value contains itself');
  }
  if (search.ancestors.size === search.maxDepth) {
    search.problems.push(depthProblem(fieldOf(place), search.maxDepth));
    return;
  }
  search.ancestors.add(value);
  try {
    if (Array.isArray(value)) visitItems(value, place, search);
    else if (isPlainObject(value)) visitMembers(value, place, search);
    else report(search, place, 'not_json', `JSON has no place for ${kindOf(value)}`);
  } finally {
    search.ancestors.delete(value);
  }
}

function visitItems(value: readonly unknown[], place: Place, search: Search): void {
  for (let index = 0; index < value.length; index += 1) {
    if (search.problems.length >= MAX_JSON_PROBLEMS) return;
    visit(() => value[index], { parent: place, key: index }, search);
  }
}

function visitMembers(value: object, place: Place, search: Search): void {
  for (const key of Object.keys(value)) {
    if (search.problems.length >= MAX_JSON_PROBLEMS) return;
    const child: Place = { parent: place, key };
    let member: unknown;
    try {
      member = Reflect.get(value, key);
    } catch {
      report(search, child, 'not_json', 'cannot be read: its getter throws');
      continue;
    }
    if (member === undefined) continue;
    const problem = keyProblem(key, () => fieldOf(child));
    if (problem !== null) search.problems.push(problem);
    visit(() => member, child, search);
  }
}

function report(search: Search, place: Place, code: JsonProblem['code'], message: string): void {
  search.problems.push({ field: fieldOf(place), code, message });
}
