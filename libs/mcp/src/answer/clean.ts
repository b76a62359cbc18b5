/**
 * What never leaves in an answer, whatever a run has stored: our own keys, values of fields that are named like secrets, and
 * characters that a person who looks over the assistant's shoulder cannot see. Pure.
 */
import { hideSecretFields, REDACTED } from '@spine/core';

/** Tags, zero-width characters, and marks that turn writing around: text in them is read by a model and by nobody else. */
const INVISIBLE = /[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

function spelled(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** @param secrets texts that are hidden wherever they stand */
export function cleanText(text: string, secrets: readonly string[]): string {
  const masked = secrets.reduce((kept, secret) => kept.replaceAll(secret, REDACTED), text);
  return masked.replace(INVISIBLE, spelled);
}

function cleanTexts(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return cleanText(value, secrets);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cleanTexts(item, secrets));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [cleanText(name, secrets), cleanTexts(item, secrets)]),
  );
}

/** JSON with its texts and names clean. @param secrets texts that are hidden wherever they stand */
export function clean(value: unknown, secrets: readonly string[]): unknown {
  return cleanTexts(hideSecretFields(value), secrets);
}
