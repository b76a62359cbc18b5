/**
 * What has been done in a playground, as JSON: the same moves over the same definition and params lead to the same moment.
 * Answers of handlers are among them, so that going through them again calls nobody.
 */
import { z } from 'zod';
import { InvariantError, ValidationError } from '@spine/core';
import { recordedObjectJson, recordedResultJson, toRecordedResult } from '../record/recorded-result.ts';
import type { Performed } from './execute.ts';
import type { Work } from './moment.ts';

const moveJson = z.discriminatedUnion('type', [
  /** A handler was called, or a sub-workflow; `slept` is the time it has let pass, in seconds. */
  z.strictObject({
    type: z.literal('work'),
    unit: z.string(),
    attempt: z.int().min(1),
    result: recordedResultJson,
    slept: z.number().min(0),
  }),
  /** Time has passed until this timer. */
  z.strictObject({ type: z.literal('timer'), timer: z.string() }),
  /** What settles by itself has settled, on the way to something that the run waits for. */
  z.strictObject({ type: z.literal('look') }),
  z.strictObject({ type: z.literal('params'), params: recordedObjectJson }),
  z.strictObject({
    type: z.literal('decide'),
    step: z.string(),
    approved: z.boolean(),
    by: z.string(),
    comment: z.string().optional(),
  }),
  z.strictObject({ type: z.literal('signal'), name: z.string(), data: recordedObjectJson }),
]);

export type PlaygroundMove = Readonly<z.infer<typeof moveJson>>;

/** @throws ValidationError for what are no moves. */
export function playgroundMovesFromJson(json: unknown): readonly PlaygroundMove[] {
  const parsed = z.array(moveJson).safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = `moves${(issue?.path ?? []).map((key) => `[${String(key)}]`).join('')}`;
  const message = issue?.message ?? 'are no moves of a playground';
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'bad_moves', message }] });
}

/** Whether it goes forth, and is what `stepBack` takes back. */
export function isStepForth({ type }: PlaygroundMove): boolean {
  return type === 'work' || type === 'timer';
}

/** The moves without the last step forth, and without what was told after it. Params stay. */
export function withoutLastStep(moves: readonly PlaygroundMove[]): readonly PlaygroundMove[] {
  const last = moves.findLastIndex(isStepForth);
  return moves.filter((move, at) => at < last || (at > last && move.type === 'params'));
}

/** What a call has come to, as a move. */
export function workMove({ unit, attempt }: Work, { result, slept }: Performed): PlaygroundMove {
  const kept = toRecordedResult(result);
  if (kept === null) throw new InvariantError(`the result of ${unit} is not JSON`);
  return { type: 'work', unit, attempt, result: kept, slept };
}
