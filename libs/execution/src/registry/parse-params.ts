/** Params against the schema of their handler. */
import type { z } from 'zod';
import { toErrorInfo } from '@spine/core';
import type { SpecIssue } from '../spec/new-run.ts';

export type ParsedParams =
  | { readonly ok: true; readonly params: unknown }
  | { readonly ok: false; readonly issues: readonly SpecIssue[] };

function pathOf(segments: readonly PropertyKey[]): string {
  return segments.reduce<string>(
    (path, segment) => (typeof segment === 'number' ? `${path}[${segment}]` : `${path}.${String(segment)}`),
    'params',
  );
}

/** zod's issues with paths under `params`; unrecognized keys are named one by one. */
export function paramIssues(error: z.ZodError): SpecIssue[] {
  return error.issues.flatMap((issue): SpecIssue[] => {
    const path = pathOf(issue.path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: `${path}.${key}`,
        code: 'unknown_field',
        message: 'is not a parameter of this handler',
      }));
    }
    return [{ field: path, code: issue.code, message: issue.message }];
  });
}

/** Params as a schema reads them. */
export function parseParams(schema: z.ZodType, params: unknown): ParsedParams {
  try {
    const parsed = schema.safeParse(params);
    return parsed.success
      ? { ok: true, params: parsed.data }
      : { ok: false, issues: paramIssues(parsed.error) };
  } catch (error) {
    // safeParse lets through what a transform or a refinement throws. An attempt that cannot end would be taken for
    // a crashed worker.
    const { message } = toErrorInfo(error);
    return {
      ok: false,
      issues: [
        { field: 'params', code: 'schema_failed', message: `the handler's schema failed: ${message}` },
      ],
    };
  }
}
