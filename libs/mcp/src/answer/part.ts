/** Reading one part of something large, piece by piece. Pure. */
import { parseJsonLocation, ValidationError } from '@spine/core';
import { z } from 'zod';

/** Arguments of a tool that answers with one thing of any size. */
export const PART = {
  part: z
    .string()
    .max(500)
    .exactOptional()
    .describe('Only this part of the answer, e.g. $.result.rows or $.params.items[3].'),
  from: z
    .int()
    .min(0)
    .exactOptional()
    .describe('Where a part that is a list or a text begins: items or characters to leave out.'),
};

export interface PartArgs {
  readonly part?: string | undefined;
  readonly from?: number | undefined;
}

export interface Part {
  readonly value: unknown;
  readonly path: string;
  /** Of a list or text; null for anything else. */
  readonly length: number | null;
}

function refuse(field: string, code: string, message: string): never {
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code, message }] });
}

/** @throws ValidationError for a path that is none or leads nowhere, and a `from` of what has no length */
export function readPart(whole: unknown, { part = '$', from }: PartArgs): Part {
  const { path, read } = parseJsonLocation(part, 'part');
  const value = read(whole);
  if (value === undefined) return refuse('part', 'not_found', `there is nothing at ${path}`);
  if (typeof value !== 'string' && !Array.isArray(value)) {
    if (from !== undefined) refuse('from', 'not_applicable', `${path} is neither a list nor a text`);
    return { value, path, length: null };
  }
  const { length } = value;
  if (from === undefined || from === 0) return { value, path, length };
  if (from >= length) refuse('from', 'too_big', `${path} has ${length}: allowed are 0 to ${length - 1}`);
  return { value: value.slice(from), path, length };
}
