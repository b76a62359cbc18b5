/**
 * Params with references, parsed once and filled in when a step starts. A reference is a path and nothing more: it is
 * looked up, never evaluated, and reads own properties alone.
 *
 * Text that is one reference becomes the value it names, whatever its type; within other text a reference to text, a
 * number or a truth value is written out.
 */
import { canonicalJson, Err, isJsonObject, Ok, parseJsonLocation, SpineError } from '@spine/core';
import type { JsonLocation, JsonObject, JsonValue, Result } from '@spine/core';

/** What references may begin with outside a map. */
export const RUN_ROOTS = ['params', 'steps', 'context', 'signals', 'previous'] as const;
/** What else they may begin with in the iterator of a map. */
export const ITEM_ROOTS = ['item', 'index', 'stages'] as const;
export type Root = (typeof RUN_ROOTS)[number] | (typeof ITEM_ROOTS)[number];

export interface Reference {
  /** As it is written between the braces. */
  readonly text: string;
  readonly root: Root;
  /** Where `root` is `steps`. */
  readonly step: string | null;
  /** Below the root, or below the step. */
  readonly location: JsonLocation;
}

/** Where references read: the value of a root, or of one step. */
export interface Scope {
  root(name: Exclude<Root, 'steps'>): unknown;
  /** `{ status, output, error }`; undefined when there is none. */
  step(name: string): unknown;
}

type Node =
  | { readonly type: 'value'; readonly value: JsonValue }
  | { readonly type: 'reference'; readonly reference: Reference }
  | { readonly type: 'text'; readonly parts: readonly (string | Reference)[] }
  | { readonly type: 'list'; readonly items: readonly Node[] }
  | { readonly type: 'object'; readonly entries: readonly (readonly [string, Node])[] };

export interface Template {
  readonly references: readonly Reference[];
  /** The value with every reference filled in; an error names the one that leads nowhere. */
  fill(scope: Scope): Result<JsonValue, string>;
}

export interface TemplateProblem {
  /** Path within the value, e.g. `.rows[0]`; '' for the value itself. */
  readonly at: string;
  readonly message: string;
}

/** A template whose value is an object. */
export interface ObjectTemplate {
  readonly references: readonly Reference[];
  fill(scope: Scope): Result<JsonObject, string>;
}

const REFERENCE = /\{\{\s*(.*?)\s*\}\}/gs;
const STEP_HEAD = /^\.([A-Za-z_][A-Za-z0-9_-]*)|^\['([^'\\]*)'\]|^\["([^"\\]*)"\]/;

/** Reads `value`, appending what is wrong with it to `problems`; a wrong reference reads as the text it is. */
export function parseTemplate(
  value: JsonValue,
  roots: readonly string[],
  problems: TemplateProblem[],
): Template {
  const references: Reference[] = [];
  const node = parseNode(value, '', { roots, problems, references });
  return { references, fill: (scope) => fillNode(node, scope) };
}

export function parseObjectTemplate(
  value: JsonObject,
  roots: readonly string[],
  problems: TemplateProblem[],
): ObjectTemplate {
  const template = parseTemplate(value, roots, problems);
  return {
    references: template.references,
    fill: (scope) => template.fill(scope).map((filled) => (isJsonObject(filled) ? filled : {})),
  };
}

/** @returns what is wrong with it as text. */
export function parseReference(text: string, roots: readonly string[]): Result<Reference, string> {
  const name = /^[a-z]+/.exec(text)?.[0] ?? '';
  const root = [...RUN_ROOTS, ...ITEM_ROOTS].find((each) => each === name);
  if (root === undefined || !roots.includes(root))
    return new Err(`{{ ${text} }} begins with none of ${roots.join(', ')}`);
  const rest = text.slice(name.length);
  const head = root === 'steps' ? STEP_HEAD.exec(rest) : null;
  if (root === 'steps' && head === null)
    return new Err(`{{ ${text} }} names no step; write steps.name.output`);
  try {
    const location = parseJsonLocation(`$${rest.slice(head?.[0].length ?? 0)}`, text);
    return new Ok({
      text,
      root,
      step: head === null ? null : (head[1] ?? head[2] ?? head[3] ?? ''),
      location,
    });
  } catch (error) {
    return new Err(error instanceof SpineError ? error.message : `{{ ${text} }} is not a reference`);
  }
}

interface Parsing {
  readonly roots: readonly string[];
  readonly problems: TemplateProblem[];
  readonly references: Reference[];
}

function parseNode(value: JsonValue, at: string, parsing: Parsing): Node {
  if (typeof value === 'string') return parseText(value, at, parsing);
  if (Array.isArray(value)) {
    const items: readonly JsonValue[] = value;
    return { type: 'list', items: items.map((item, index) => parseNode(item, `${at}[${index}]`, parsing)) };
  }
  if (!isJsonObject(value)) return { type: 'value', value };
  const entries = Object.entries(value).map(
    ([key, each]) => [key, parseNode(each, `${at}.${key}`, parsing)] as const,
  );
  return { type: 'object', entries };
}

function parseText(text: string, at: string, parsing: Parsing): Node {
  const parts: (string | Reference)[] = [];
  let end = 0;
  for (const match of text.matchAll(REFERENCE)) {
    const reference = parseReference(match[1] ?? '', parsing.roots);
    if (reference.isErr()) {
      parsing.problems.push({ at, message: reference.error });
      return { type: 'value', value: text };
    }
    if (match.index > end) parts.push(text.slice(end, match.index));
    parts.push(reference.unwrap());
    parsing.references.push(reference.unwrap());
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push(text.slice(end));
  const [only] = parts;
  if (parts.length === 1 && typeof only === 'object') return { type: 'reference', reference: only };
  return parts.some((part) => typeof part === 'object')
    ? { type: 'text', parts }
    : { type: 'value', value: text };
}

function fillNode(node: Node, scope: Scope): Result<JsonValue, string> {
  switch (node.type) {
    case 'value':
      return new Ok(node.value);
    case 'reference':
      return lookUp(node.reference, scope);
    case 'text':
      return fillText(node.parts, scope);
    case 'list': {
      const items: JsonValue[] = [];
      for (const item of node.items) {
        const filled = fillNode(item, scope);
        if (filled.isErr()) return filled;
        items.push(filled.unwrap());
      }
      return new Ok(items);
    }
    case 'object': {
      const entries: [string, JsonValue][] = [];
      for (const [key, each] of node.entries) {
        const filled = fillNode(each, scope);
        if (filled.isErr()) return filled;
        entries.push([key, filled.unwrap()]);
      }
      return new Ok(Object.fromEntries(entries));
    }
  }
}

function fillText(parts: readonly (string | Reference)[], scope: Scope): Result<JsonValue, string> {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const found = lookUp(part, scope);
    if (found.isErr()) return found;
    const value = found.unwrap();
    if (typeof value === 'object')
      return new Err(
        `{{ ${part.text} }} is ${canonicalJson(value).slice(0, 40)}, which cannot stand in a text`,
      );
    text += String(value);
  }
  return new Ok(text);
}

/** The value a reference names. */
export function lookUp(reference: Reference, scope: Scope): Result<JsonValue, string> {
  const base = reference.root === 'steps' ? scope.step(reference.step ?? '') : scope.root(reference.root);
  const value = reference.location.read(base);
  // What scopes hold is JSON: params, outputs and items have come in as such.
  return value === undefined ? new Err(`{{ ${reference.text} }} has no value`) : new Ok(value as JsonValue);
}
