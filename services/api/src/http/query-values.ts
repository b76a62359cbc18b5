/** Values of a query string: text that becomes numbers, instants and lists, each with its JSON Schema. */
import { z } from 'zod';
import { isStorableText } from '@spine/core';

/** A repeated parameter arrives as an array; a parameter that takes one value must not pick one of several. */
function single(value: unknown, ctx: z.RefinementCtx): unknown {
  if (!Array.isArray(value)) return value;
  ctx.issues.push({ code: 'custom', message: 'is given more than once', input: value });
  return z.NEVER;
}

/** `schema` for a parameter that may be given once. */
export function once<S extends z.ZodType<unknown, string>>(schema: S) {
  return z.preprocess(single, schema);
}

/** Text of any characters that Postgres can compare with. */
export function text(maxLength: number) {
  return once(
    z
      .string()
      .min(1)
      .max(maxLength)
      .refine(isStorableText, 'must not contain NUL characters or lone surrogates'),
  );
}

/** Decimal digits: no sign, fraction, exponent or spaces. */
export function wholeNumber(min: number, max: number) {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value),
    z.int().min(min).max(max),
  );
}

export const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
);

/** The first and last instants that ids by time can tell apart. */
const EARLIEST = Date.UTC(1970, 0, 2);
const LATEST = Date.UTC(9999, 11, 31);

/** An RFC 3339 instant. Its `+` must be sent as `%2B`. */
export const instant = z.preprocess(
  (value, ctx) => {
    const parsed = z.iso.datetime({ offset: true }).safeParse(value);
    const time = parsed.success ? Date.parse(parsed.data) : Number.NaN;
    if (time >= EARLIEST && time <= LATEST) return new Date(time);
    ctx.issues.push({
      code: 'custom',
      message: 'must be an instant such as 2026-01-31T12:00:00Z, from 1970 to 9999',
      input: value,
    });
    return z.NEVER;
  },
  z.date().meta({ type: 'string', format: 'date-time' }),
);

/** `a,b` or the parameter repeated, or both. */
export function listOfValues<T extends string>(values: readonly T[]) {
  return z.preprocess(
    (value) => {
      const parts: unknown[] = Array.isArray(value) ? value : [value];
      return [...new Set(parts.flatMap((part) => (typeof part === 'string' ? part.split(',') : [part])))];
    },
    z.array(z.enum(values)).min(1),
  );
}

/** For endpoints that take no query parameter. */
export const noQuery = z.strictObject({});
export type NoQuery = z.infer<typeof noQuery>;
