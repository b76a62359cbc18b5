import { ValidationError } from '../errors/permanent.ts';
import type { Brand } from '../ids.ts';
import { truncateText } from '../text.ts';

/**
 * The name of a data asset: parts from the general to the special, joined by '/', e.g. `sec/filings/10-K`. As text it is
 * its own canonical form: equal keys are equal strings, and byte order puts an asset next to what is below it.
 */
export type AssetKey = Brand<string, 'AssetKey'>;

/** What a key may be: 1 to 12 parts of 1 to 100 characters, 200 together. Also in the schema (`assets_key`). */
export const ASSET_KEY_LIMITS = { parts: 12, partLength: 100, length: 200 } as const;

const PART = /^[A-Za-z0-9][A-Za-z0-9_.:=-]{0,99}$/;

const ALLOWED =
  `1 to ${ASSET_KEY_LIMITS.parts} parts joined by '/', each 1 to ${ASSET_KEY_LIMITS.partLength} characters of ` +
  `A-Z a-z 0-9 _ . : = - that begin with a letter or digit, ${ASSET_KEY_LIMITS.length} characters together`;

/**
 * The key of these parts: `assetKey('sec', 'filings', '10-K')`.
 *
 * @throws ValidationError for a part that is not allowed; a part never holds a '/'.
 */
export function assetKey(...parts: readonly string[]): AssetKey {
  return checked(parts, parts.join('/'), 'asset_key');
}

/** The key in `text`. @throws ValidationError naming `field`, what was given and what is allowed. */
export function parseAssetKey(text: string, field = 'asset_key'): AssetKey {
  return checked(text.split('/'), text, field);
}

/** Whether `value` is a key in its canonical form. */
export function isAssetKey(value: unknown): value is AssetKey {
  return typeof value === 'string' && problemOf(value.split('/'), value) === null;
}

/** The parts of a key, the general first. */
export function assetKeyParts(key: AssetKey): readonly string[] {
  return key.split('/');
}

/** Whether `key` is `prefix` or below it. By parts: `sec/fil` is no prefix of `sec/filings`. */
export function hasAssetKeyPrefix(key: AssetKey, prefix: AssetKey): boolean {
  return key === prefix || key.startsWith(`${prefix}/`);
}

function problemOf(parts: readonly string[], text: string): string | null {
  if (parts.length < 1 || parts.length > ASSET_KEY_LIMITS.parts) return `has ${parts.length} parts`;
  const bad = parts.find((part) => !PART.test(part));
  if (bad !== undefined) return `has the part ${JSON.stringify(truncateText(bad, 80))}`;
  if (text.length > ASSET_KEY_LIMITS.length) return `has ${text.length} characters`;
  return null;
}

function checked(parts: readonly string[], text: string, field: string): AssetKey {
  const problem = problemOf(parts, text);
  if (problem === null) return text as AssetKey;
  throw new ValidationError(
    `${field}: ${JSON.stringify(truncateText(text, 80))} ${problem}; allowed: ${ALLOWED}`,
    { issues: [{ field, code: 'invalid_asset_key', message: `${problem}; allowed: ${ALLOWED}` }] },
  );
}
