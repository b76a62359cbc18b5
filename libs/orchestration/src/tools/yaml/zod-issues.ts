/** What a zod schema has to say, with the field at the very key and, of alternatives, for the one that was meant. */
import type { z } from 'zod';

export interface PathIssue {
  readonly path: readonly (string | number)[];
  readonly code: string;
  readonly message: string;
}

type ZodIssue = z.core.$ZodIssue;

/** Every problem; of a union that no alternative fits, those of the alternative with the fewest. */
export function pathIssues(issues: readonly ZodIssue[], at: readonly (string | number)[] = []): PathIssue[] {
  return issues.flatMap((issue) => {
    const path = [...at, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))];
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({
        path: [...path, key],
        code: 'unknown_field',
        message: `there is no field ${JSON.stringify(key.slice(0, 80))} here`,
      }));
    if (issue.code === 'invalid_union') {
      const closest = [...issue.errors].sort((a, b) => weight(a) - weight(b))[0] ?? [];
      if (closest.length > 0) return pathIssues(closest, path);
    }
    return [{ path, code: issue.code, message: issue.message }];
  });
}

/** A wrong type says that the alternative was not meant; an unknown field, that it hardly was. */
function weight(issues: readonly ZodIssue[]): number {
  return issues.reduce(
    (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 2 * issue.keys.length : 3),
    0,
  );
}
