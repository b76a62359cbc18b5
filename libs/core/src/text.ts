/// <reference lib="es2024.string" />

/** U+FFFD, the character Unicode reserves for "something here could not be represented". */
const REPLACEMENT = '\uFFFD';

/**
 * Whether Postgres can store `text` in a text or jsonb column: no NUL character (22021 / 22P05) and no lone
 * surrogate (22P02, or a silent U+FFFD on the wire).
 */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** `text` with every NUL and lone surrogate replaced by U+FFFD; the same string when there are none. */
export function toStorableText(text: string): string {
  return isStorableText(text) ? text : text.toWellFormed().replaceAll('\0', REPLACEMENT);
}

/**
 * At most `maxLength` UTF-16 code units of `text`. A cut text ends in '…' and never ends inside a surrogate
 * pair. `maxLength` must be at least 1.
 */
export function truncateText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 2);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return `${text.slice(0, splitsPair ? maxLength - 2 : maxLength - 1)}…`;
}
