/** Whether a value that a step has answered, or that was read back from JSON, is a modification. */
import { modificationJson, modificationToJson } from './modification-json.ts';
import type { Modification } from './modification.ts';

/** What is wrong with it; null for a modification. Whether it can be done is the planner's to say. */
export function modificationProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return 'is no object';
  try {
    const { error } = modificationJson.safeParse(modificationToJson(value as Modification));
    const [issue] = error?.issues ?? [];
    return issue === undefined ? null : `${issue.path.join('.')}: ${issue.message}`;
  } catch {
    // It lacks what a modification of its type has, or is of no type that there is.
    return 'is no modification';
  }
}
