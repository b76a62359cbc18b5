import { childPath } from './json-path.ts';
import { numberProblem } from './json-number.ts';
import {
  depthProblem,
  keyFlaw,
  MAX_JSON_PROBLEMS,
  textFlaw,
  type JsonFlaw,
  type JsonProblem,
} from './json-problem.ts';

/**
 * Finds the problems of JSON text, with their paths, by walking the text itself: numbers are judged as they
 * were sent, and every duplicate of a key is seen.
 *
 * 1. The text must be valid JSON (`JSON.parse` accepted it); the scan relies on the grammar and checks none of it.
 * 2. Time is linear in the length of the text and nesting costs no call stack, so hostile text costs what its
 *    length costs.
 */
export function scanJson(text: string, maxDepth: number): JsonProblem[] {
  const problems: JsonProblem[] = [];
  const stack: Frame[] = [];
  const here = (): string => pathOf(stack);
  let top: Frame | undefined;
  let at = 0;
  while (at < text.length && problems.length < MAX_JSON_PROBLEMS) {
    switch (text.charCodeAt(at)) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (stack.length === maxDepth) {
          problems.push(depthProblem(here(), maxDepth));
          return problems;
        }
        top = { position: text.charCodeAt(at) === OPEN_BRACE ? null : 0, keyIsNext: true };
        stack.push(top);
        at += 1;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        stack.pop();
        top = stack.at(-1);
        at += 1;
        break;
      case COMMA:
        if (typeof top?.position === 'number') top.position += 1;
        else if (top !== undefined) top.keyIsNext = true;
        at += 1;
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        const value = stringValue(text, at, end);
        let flaw: JsonFlaw | null;
        if (top !== undefined && typeof top.position !== 'number' && top.keyIsNext) {
          top.position = value;
          top.keyIsNext = false;
          flaw = keyFlaw(value);
        } else {
          flaw = textFlaw(value);
        }
        if (flaw !== null) problems.push({ field: here(), ...flaw });
        at = end;
        break;
      }
      default: {
        const end = endOfNumber(text, at);
        if (end === at) {
          at += 1;
          break;
        }
        const message = numberProblem(text.slice(at, end));
        if (message !== null) problems.push({ field: here(), code: 'unsafe_number', message });
        at = end;
      }
    }
  }
  return problems;
}

/** An array or object that is open at the current place. */
interface Frame {
  /** The index in an array; the current key of an object, null before its first. */
  position: number | string | null;
  /** Whether the next string of an object is a key; means nothing for arrays. */
  keyIsNext: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function pathOf(stack: readonly Frame[]): string {
  let path = '';
  for (const { position } of stack) if (position !== null) path = childPath(path, position);
  return path;
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (quote >= 0) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // An even number of backslashes before the quote escape each other, not the quote.
    if ((quote - before) % 2 === 1) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

function stringValue(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1);
  return inner.includes('\\') ? String(JSON.parse(text.slice(start, end))) : inner;
}

/** The index after the number that starts at `start`; `start` itself when there is none. */
function endOfNumber(text: string, start: number): number {
  let at = start;
  const first = text.charCodeAt(start);
  if (first !== 0x2d && !isDigit(first)) return start;
  for (at += 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Digits and . e E + -
    if (!isDigit(code) && code !== 0x2e && code !== 0x65 && code !== 0x45 && code !== 0x2b && code !== 0x2d)
      break;
  }
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
