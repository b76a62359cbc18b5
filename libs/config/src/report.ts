/** How bad and unknown variables are reported. Nothing here may print a secret. */
import type { Quoting } from './variables.ts';

const LONGEST_QUOTE = 100;

/** A bad value as an error message may show it. */
export function quoteValue(value: string, quoting: Quoting): string {
  switch (quoting) {
    case 'plain':
      return JSON.stringify(value.length > LONGEST_QUOTE ? `${value.slice(0, LONGEST_QUOTE)}…` : value);
    case 'hidden':
      return `a value of ${value.length} characters (not shown)`;
    case 'url': {
      // Of a URL that cannot be parsed nobody knows which part is the password.
      const scheme = /^([a-z][a-z0-9+.-]{0,20}):\/\//i.exec(value)?.[1];
      if (scheme === undefined)
        return `a value of ${value.length} characters without "scheme://" (not shown)`;
      return `a ${scheme}:// URL (not shown)`;
    }
  }
}

/** Number of single-character edits between two texts. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/**
 * The known name that `name` is most probably a misspelling of; undefined when none is near enough for the
 * suggestion to help (two edits, more for long names).
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(name.length / 5));
  let best: { name: string; edits: number } | undefined;
  for (const candidate of known) {
    const edits = distance(name.toUpperCase(), candidate);
    if (edits <= limit && (best === undefined || edits < best.edits)) best = { name: candidate, edits };
  }
  return best?.name;
}
