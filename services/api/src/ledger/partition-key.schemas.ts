/** Partition keys and names of the ledger, in bodies and in query strings; and cursors of lists that are ordered by them. */
import type { PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { isStorableText } from '@spine/core';
import { positionOf } from '../http/paging.ts';
import type { PageQuery } from '../http/paging.ts';
import { notFound } from '../http/problem.ts';
import { once } from '../http/query-values.ts';

const NAME_LENGTH = 200;
const KEY_LENGTH = 1_000;

/** Names of domains, sources, workflows, stages. */
export const ledgerName = z
  .string()
  .min(1)
  .max(NAME_LENGTH)
  .refine(isStorableText, 'must not contain NUL characters or lone surrogates');

const keyValue = z.union([
  z.string().refine(isStorableText, 'must be storable text'),
  z.number(),
  z.boolean(),
]);

/** A partition key in a body. */
export const partitionKeyBody = z
  .record(z.string().refine(isStorableText, 'must be storable text'), keyValue)
  .refine(
    (key) => JSON.stringify(key).length <= KEY_LENGTH,
    `must have at most ${KEY_LENGTH} characters of JSON`,
  );

/** JSON text in a query string. */
function jsonQuery<S extends z.ZodType>(schema: S, example: string) {
  return z.preprocess(
    (value, ctx): unknown => {
      if (typeof value === 'string' && isStorableText(value)) {
        try {
          return JSON.parse(value);
        } catch {
          // Told below.
        }
      }
      ctx.issues.push({ code: 'custom', message: `must be a JSON object such as ${example}`, input: value });
      return z.NEVER;
    },
    schema.meta({ type: 'string' }),
  );
}

export const partitionKeyQuery = jsonQuery(partitionKeyBody, '{"week_ending":"2025-12-12"}');

/** A partition template: values, lists of values, and one placeholder of the cadence. */
export const templateBody = z
  .record(z.string(), z.union([keyValue, z.array(keyValue).max(10_000)]))
  .describe(
    'One field holds the placeholder of the cadence, such as {week_ending}; a list stands for one partition each.',
  );

export const templateQuery = jsonQuery(templateBody, '{"week_ending":"{week_ending}","tier":["OTC"]}');

/** A cursor of a list that is ordered by several texts. */
export const keysetCursor = once(z.string().min(1).max(8_000))
  .optional()
  .describe('`page.next_cursor` of the page before.');

/** The texts in a cursor of this list; undefined for none. @throws HttpProblem for a cursor of another list. */
export function keysetOf(list: string, query: PageQuery, texts: number): readonly string[] | undefined {
  const position = positionOf(list, query, (text) => partsOf(text)?.length === texts);
  return position === undefined ? undefined : (partsOf(position) ?? undefined);
}

function partsOf(text: string): readonly string[] | null {
  try {
    const parts: unknown = JSON.parse(text);
    if (!Array.isArray(parts)) return null;
    return parts.every((part): part is string => typeof part === 'string' && isStorableText(part))
      ? parts
      : null;
  } catch {
    return null;
  }
}

/** A name in a path; what cannot be one names nothing. */
export class LedgerNamePipe implements PipeTransform<string, string> {
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  transform(name: string): string {
    if (!ledgerName.safeParse(name).success) throw notFound(this.#what, name);
    return name;
  }
}
