/**
 * Text of others on a terminal. What runs say (names, errors, log lines) may hold escape sequences, which would move the
 * cursor, retitle the window or hide a line: control characters and the marks that turn writing around are shown, not
 * obeyed.
 */
const OBEYED = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

function shown(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\t') return ' ';
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

function shownButBreaks(character: string): string {
  return character === '\n' ? character : shown(character);
}

/** On one line: line breaks become spaces. */
export function oneLine(text: string): string {
  return text.replace(/\r?\n/g, ' ').replace(OBEYED, shown);
}

/** Keeps line breaks. */
export function manyLines(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(OBEYED, shownButBreaks);
}

/** JSON that a terminal shows as it is: the same value, with what a terminal could obey written as escapes. */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent) ?? 'null';
  return indent === undefined ? text.replace(OBEYED, shown) : text.replace(OBEYED, shownButBreaks);
}

/** At most this many characters, the last of them an ellipsis where something is missing. */
export function shortened(text: string, max: number): string {
  const characters = [...text];
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`;
}
