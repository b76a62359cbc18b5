import { ValidationError } from '../errors/permanent.ts';
import { truncateText } from '../text.ts';

export const MAX_TAG_LENGTH = 200;
const MAX_LEVELS = 10;

/** Neither '/' alone nor what cannot be seen: control characters, and spaces at either end. */
const SEGMENT = /^[^\s/\p{C}](?:[^/\p{C}]*[^\s/\p{C}])?$/u;

/**
 * A tag as it is kept: `sector/tech/software` lies below `sector/tech` and `sector`. Case counts ('AAPL'). Spaces around
 * it are dropped. Throws ValidationError naming `field` for empty levels, control characters, more than 200 characters or
 * 10 levels.
 */
export function parseTag(text: string, field = 'tag'): string {
  const tag = text.length <= MAX_TAG_LENGTH ? text.trim() : text;
  const levels = tag.split('/', MAX_LEVELS + 1);
  const fits = tag.length <= MAX_TAG_LENGTH && levels.length <= MAX_LEVELS;
  if (fits && levels.every((level) => SEGMENT.test(level))) return tag;
  throw new ValidationError(
    `${field}: ${JSON.stringify(truncateText(text, 60))} is not a tag; allowed are names such as 'software' or ` +
      `'sector/tech/software', at most ${MAX_LEVELS} levels and ${MAX_TAG_LENGTH} characters`,
    { issues: [{ field, code: 'invalid_tag', message: "must be names separated by '/'" }] },
  );
}

/** The tag and everything above it, the highest first: 'a/b/c' gives a, a/b, a/b/c. */
export function withAncestors(tag: string): string[] {
  const levels = tag.split('/');
  return levels.map((_, index) => levels.slice(0, index + 1).join('/'));
}

/** Whether `tag` is `ancestor` or lies below it. */
export function isWithin(tag: string, ancestor: string): boolean {
  return tag === ancestor || tag.startsWith(`${ancestor}/`);
}
