/**
 * YAML from outside as plain JSON, with the place of everything in it. What a small text could blow up is bounded before it
 * is built: nesting while the text is read, aliases before they are followed, the size of what they make.
 */
import { isScalar, Lexer, LineCounter, parseDocument, Parser, visit } from 'yaml';
import type { Document } from 'yaml';

export const YAML_LIMITS = {
  /** Characters of one file. */
  length: 4_194_304,
  /** Collections within collections; about twice the nesting that JSON may have, as a list in a map counts twice. */
  depth: 160,
  /** Aliases, and uses of one anchor counted with the aliases in it. */
  aliases: 100,
  /** Values after all aliases are followed. */
  values: 1_000_000,
} as const;

export interface YamlPlace {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

export interface YamlProblem extends YamlPlace {
  readonly code: string;
  readonly message: string;
}

export type YamlSource =
  | {
      readonly type: 'read';
      readonly value: unknown;
      readonly document: Document;
      readonly lines: LineCounter;
    }
  | { readonly type: 'broken'; readonly problems: readonly YamlProblem[] };

/** The one document in `text`, or everything that is wrong with it. */
export function readYaml(text: string): YamlSource {
  if (text.length > YAML_LIMITS.length)
    return broken('too_large', `has ${text.length} characters; allowed are ${YAML_LIMITS.length}`);
  const lines = new LineCounter();
  const tooDeep = deepPlace(text, lines);
  if (tooDeep !== null)
    return broken('too_deep', `nests deeper than ${YAML_LIMITS.depth} collections`, placeOf(lines, tooDeep));
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'core',
    // Its own check of duplicate keys compares each with each, which a large map turns into minutes.
    uniqueKeys: false,
    resolveKnownTags: false,
    merge: false,
    stringKeys: true,
    intAsBigInt: true,
    prettyErrors: false,
  });
  const problems: YamlProblem[] = [...document.errors, ...document.warnings].map((error) => ({
    ...placeOf(lines, error.pos[0]),
    code: error.code === 'TAG_RESOLVE_FAILED' ? 'unknown_tag' : 'invalid_yaml',
    message: error.message,
  }));
  problems.push(...checkNodes(document, lines));
  if (problems.length > 0) return { type: 'broken', problems };
  return valueOf(document, lines);
}

const TOO_MANY_ALIASES = `more than ${YAML_LIMITS.aliases} aliases, or more than ${YAML_LIMITS.values} values once they are followed`;

/** Where a place in the text is. */
export function placeOf(lines: LineCounter, offset: number): YamlPlace {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** Where the text nests too deeply, or null. Building such a document takes the stack or all memory. */
function deepPlace(text: string, lines: LineCounter): number | null {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    Array.from(parser.next(lexeme));
    if (parser.stack.length > YAML_LIMITS.depth) return parser.offset;
  }
  // The document is read again with the same counter.
  lines.lineStarts.length = 0;
  return null;
}

/** Duplicate keys, anchors that hold themselves, and numbers that JSON has no place for. */
function checkNodes(document: Document, lines: LineCounter): YamlProblem[] {
  const problems: YamlProblem[] = [];
  let aliases = 0;
  const report = (offset: number | undefined, code: string, message: string): void => {
    problems.push({ ...placeOf(lines, offset ?? 0), code, message });
  };
  visit(document, {
    Map(_key, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (seen.has(name)) report(key.range?.[0], 'duplicate_key', `${shown(name)} is there twice`);
        seen.add(name);
      }
    },
    Alias(_key, alias, path) {
      aliases += 1;
      // Each is looked for in the whole document.
      if (aliases > YAML_LIMITS.aliases) {
        report(alias.range?.[0], 'too_many_aliases', TOO_MANY_ALIASES);
        return visit.BREAK;
      }
      const target = alias.resolve(document);
      if (target === undefined)
        report(alias.range?.[0], 'unknown_alias', `there is no anchor &${alias.source} before it`);
      else if (path.some((node) => node === target))
        report(alias.range?.[0], 'circular_alias', `*${alias.source} holds itself`);
      return undefined;
    },
    Scalar(_key, scalar) {
      const { value } = scalar;
      if (typeof value === 'bigint') {
        const number = Number(value);
        // Shortest digits, as JSON writes them, so that what JSON can carry comes back as it was.
        if (Number.isSafeInteger(number) || String(number) === String(value)) scalar.value = number;
        else
          report(
            scalar.range?.[0],
            'number',
            `${shown(String(value))} cannot be kept exactly; write it as text`,
          );
      } else if (typeof value === 'number' && !Number.isFinite(value)) {
        report(
          scalar.range?.[0],
          'number',
          `${shown(scalar.source ?? String(value))} is not a number of JSON`,
        );
      }
    },
  });
  return problems;
}

function valueOf(document: Document, lines: LineCounter): YamlSource {
  try {
    // The anchor itself is one of its uses.
    const value: unknown = document.toJS({ maxAliasCount: YAML_LIMITS.aliases + 1 });
    if (countsUpTo(value, YAML_LIMITS.values)) return { type: 'read', value, document, lines };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
  }
  let first = 0;
  visit(document, {
    Alias(_key, alias) {
      first = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return broken('too_many_aliases', TOO_MANY_ALIASES, placeOf(lines, first));
}

/** Whether `value` holds at most `limit` values; looks at no more than that. */
function countsUpTo(value: unknown, limit: number): boolean {
  const open: unknown[] = [value];
  for (let count = 0; open.length > 0; count += 1) {
    if (count + open.length > limit) return false;
    const next = open.pop();
    if (typeof next === 'object' && next !== null) for (const each of Object.values(next)) open.push(each);
  }
  return true;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function broken(code: string, message: string, place: YamlPlace = { line: 1, column: 1 }): YamlSource {
  return { type: 'broken', problems: [{ ...place, code, message }] };
}
