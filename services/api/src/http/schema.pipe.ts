/** Validates what a handler's parameter declares with `@Body({ schema })` or `@Query({ schema })`. */
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { isSecretName } from '@spine/core';
import { invalid } from './problem.ts';
import type { FieldError } from './problem.ts';

/** `a.b[0]`, or `root` itself. */
function pathOf(segments: readonly PropertyKey[], root: string): string {
  if (segments.length === 0) return root;
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`;
    return path === '' ? String(segment) : `${path}.${String(segment)}`;
  }, '');
}

function valueAt(input: unknown, segments: readonly PropertyKey[]): unknown {
  return segments.reduce<unknown>(
    (value, segment) =>
      typeof value === 'object' && value !== null ? Reflect.get(value, segment) : undefined,
    input,
  );
}

/** What was given, where it is short enough to help and its name does not say that it may be secret. */
function given(value: unknown, path: readonly PropertyKey[]): string {
  if (path.some((name) => isSecretName(String(name)))) return '';
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return '';
  const text = JSON.stringify(value);
  return text.length > 80 ? '' : `; given ${text}`;
}

/** zod's issues as field errors. `root` names the whole value: `body` or `query`. */
export function fieldErrors(error: z.ZodError, input: unknown, root: string): FieldError[] {
  return error.issues.flatMap((issue): FieldError[] => {
    if (issue.code === 'unrecognized_keys') {
      const what = root === 'query' ? 'query parameter' : 'field';
      return issue.keys.map((key) => {
        const field = pathOf([...issue.path, key], root);
        return { field, code: 'unknown_field', message: `is not a ${what} of this endpoint` };
      });
    }
    const field = pathOf(issue.path, root);
    const value = valueAt(input, issue.path);
    if (value === undefined) return [{ field, code: 'required', message: 'is required' }];
    return [{ field, code: issue.code, message: `${issue.message}${given(value, issue.path)}` }];
  });
}

export class SchemaPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const { schema } = metadata;
    if (!(schema instanceof z.ZodType)) return value;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw invalid(fieldErrors(parsed.error, value, metadata.type === 'query' ? 'query' : 'body'));
  }
}
