import { toStorableText, truncateText } from '../text.ts';

const IDENTIFIER = /^[A-Za-z_$][\w$-]*$/;
const MAX_KEY_LENGTH = 100;

/**
 * The path of a child: `a.b`, `a[0]`, or `a["odd key"]` where the key is not a plain name. The root is ''.
 * Keys are cut at 100 characters and made storable: a path ends up in problem documents and log lines, and
 * the key comes from whoever sent the value.
 */
export function childPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  const shown = toStorableText(truncateText(key, MAX_KEY_LENGTH));
  if (!IDENTIFIER.test(shown)) return `${parent}[${JSON.stringify(shown)}]`;
  return parent === '' ? shown : `${parent}.${shown}`;
}
