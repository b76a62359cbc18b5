/** Body and answer of a question of an operator's own. */
import { z } from 'zod';
import { isStorableText } from '@spine/core';
import type { AskOutcome } from '@spine/database';

export const ASK_LIMITS = {
  statementLength: 20_000,
  rows: { default: 1_000, max: 10_000 },
  seconds: { default: 5, max: 30 },
  /** Of the values of one answer, as JSON text. */
  bytes: 8 * 1024 * 1024,
  /** Questions of one API process at a time. */
  atOnce: 2,
} as const;

export const askBody = z
  .strictObject({
    sql: z
      .string()
      .min(1)
      .max(ASK_LIMITS.statementLength)
      .refine(isStorableText, 'must not contain NUL characters or lone surrogates')
      .describe('One statement that reads: SELECT, VALUES, TABLE, WITH, SHOW or EXPLAIN.'),
    max_rows: z.int().min(1).max(ASK_LIMITS.rows.max).default(ASK_LIMITS.rows.default),
    timeout_seconds: z.int().min(1).max(ASK_LIMITS.seconds.max).default(ASK_LIMITS.seconds.default),
  })
  .meta({
    id: 'DatabaseQuery',
    examples: [{ sql: 'SELECT status, count(*) FROM runs GROUP BY status', max_rows: 100 }],
  });
export type AskBody = z.infer<typeof askBody>;

export const answerJson = z
  .object({
    columns: z.array(z.object({ name: z.string(), type: z.string().describe('As Postgres writes it.') })),
    rows: z
      .array(z.array(z.unknown()))
      .describe(
        'Values in the order of the columns. bigint, numeric and money are text, as is what JSON has no type for.',
      ),
    row_count: z.int(),
    truncated: z
      .enum(['rows', 'bytes'])
      .nullable()
      .describe(
        'There is more: `max_rows` was reached, or the answer would be over 8 MiB. Null: this is all.',
      ),
    duration_ms: z.int(),
  })
  .meta({ id: 'DatabaseAnswer' });

type Answered = Extract<AskOutcome, { type: 'answered' }>;

export function toAnswerJson({ columns, rows, ended, durationMs }: Answered): z.infer<typeof answerJson> {
  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    rows: rows.map((row) => [...row]),
    row_count: rows.length,
    truncated: ended === 'all' ? null : ended,
    duration_ms: durationMs,
  };
}

/** Line and column of a character of a text, each from 1. */
export function placeOf(text: string, position: number): { readonly line: number; readonly column: number } {
  // Postgres counts characters, a string UTF-16 units.
  const before = [...text]
    .slice(0, position - 1)
    .join('')
    .split('\n');
  return { line: before.length, column: [...(before.at(-1) ?? '')].length + 1 };
}
