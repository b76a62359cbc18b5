import { truncateText, ValidationError } from '@spine/core';
import { paramIssues } from '@spine/execution';
import type { z } from 'zod';

/**
 * What a function of an example was called with, by its schema. Operations have theirs checked by the worker; a plain
 * function gets whatever the run was given.
 *
 * @throws ValidationError naming every field that is wrong.
 */
export function checked<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = paramIssues(parsed.error);
  const message = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
  throw new ValidationError(truncateText(message, 1_000), { issues });
}
