/**
 * Keys made from a run, as data: `tenant:{params.tenant}`. A placeholder names `kind`, `name`, `lane` or a path under
 * `params`; own properties are read and nothing is evaluated.
 */
import { ConfigError, hashJson, sha256Hex, toStorableText } from '@spine/core';
import { LIMITS } from '../spec/limits.ts';

/** What of a run a key may be made from. */
export interface KeySubject {
  readonly kind: string;
  readonly name: string;
  readonly lane: string;
  readonly params: unknown;
}

type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'field'; readonly field: 'kind' | 'name' | 'lane' }
  | { readonly type: 'params'; readonly path: readonly string[] };

const MAX_LENGTH = 500;
const MAX_DEPTH = 8;
const SEGMENT = /^[A-Za-z_][A-Za-z0-9_-]{0,99}$/;
/** In place of a value that is not there. */
const MISSING = '(none)';
/** How much of a key that is too long stays readable. */
const READABLE = 120;

export class KeyTemplate {
  readonly #parts: readonly Part[];

  /** @throws ConfigError for a placeholder that is not closed or names something else. */
  constructor(template: string) {
    if (template.length === 0 || template.length > MAX_LENGTH) {
      throw new ConfigError(
        `key ${JSON.stringify(template.slice(0, 100))} must have 1 to ${MAX_LENGTH} characters`,
      );
    }
    this.#parts = parse(template);
  }

  /** Whether the key depends on a run's params. */
  get readsParams(): boolean {
    return this.#parts.some(({ type }) => type === 'params');
  }

  /** The key of a run; one that would be too long ends in the hash of all of it. */
  resolve(subject: KeySubject): string {
    const key = toStorableText(this.#parts.map((part) => render(part, subject)).join(''));
    if (key.length <= LIMITS.keyLength) return key;
    return `${toStorableText(key.slice(0, READABLE))}#${sha256Hex(key).slice(0, 32)}`;
  }
}

function parse(template: string): Part[] {
  const refuse = (why: string): never => {
    throw new ConfigError(`key ${JSON.stringify(template)}: ${why}`);
  };
  return template.split(/(\{[^{}]*\})/).flatMap((piece): Part[] => {
    if (piece === '') return [];
    if (!piece.startsWith('{')) {
      return /[{}]/.test(piece) ? refuse('a brace stands alone') : [{ type: 'text', text: piece }];
    }
    const name = piece.slice(1, -1);
    if (name === 'kind' || name === 'name' || name === 'lane') return [{ type: 'field', field: name }];
    const [root, ...path] = name.split('.');
    const isPath = root === 'params' && path.length > 0 && path.length <= MAX_DEPTH;
    if (isPath && path.every((segment) => SEGMENT.test(segment))) return [{ type: 'params', path }];
    return refuse(`${piece} is none of {kind}, {name}, {lane}, {params.…}`);
  });
}

function render(part: Part, subject: KeySubject): string {
  switch (part.type) {
    case 'text':
      return part.text;
    case 'field':
      return subject[part.field];
    case 'params':
      return text(read(subject.params, part.path));
  }
}

function read(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const segment of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, segment)) return undefined;
    at = Reflect.get(at, segment);
  }
  return at;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'object' && value !== null ? `#${hashJson(value).slice(0, 16)}` : MISSING;
}
