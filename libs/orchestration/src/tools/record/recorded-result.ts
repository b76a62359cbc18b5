/** The result of a step as recordings and playgrounds keep it. */
import { z } from 'zod';
import { ERROR_CATEGORIES, findJsonProblems } from '@spine/core';
import type { JsonValue } from '@spine/core';
import type { StepResult } from '../../workflow/step-result.ts';

/** Under the type that the rest of the code has for it. */
const jsonValue: z.ZodType<JsonValue> = z.json();
export const recordedObjectJson = z.record(z.string(), jsonValue);

export const recordedErrorJson = z.strictObject({
  message: z.string(),
  type: z.string(),
  category: z.enum(ERROR_CATEGORIES),
  retryable: z.boolean(),
  retryAfterSeconds: z.number().nullable(),
});

/** What a step may say besides (quality, modifications) is kept as it is. */
export const recordedResultJson = z.discriminatedUnion('status', [
  z.looseObject({ status: z.literal('ok'), output: recordedObjectJson }),
  z.looseObject({ status: z.literal('fail'), error: recordedErrorJson }),
  z.strictObject({ status: z.literal('skip'), reason: z.string() }),
]);
export type RecordedResult = Readonly<z.infer<typeof recordedResultJson>>;

/** The result as it will be read back; null for one that is not JSON. */
export function toRecordedResult(answer: StepResult): RecordedResult | null {
  if (findJsonProblems(answer).length > 0) return null;
  const plain: unknown = JSON.parse(JSON.stringify(answer));
  return recordedResultJson.parse(plain);
}

export function fromRecordedResult(result: RecordedResult): StepResult {
  // Read back by the schema above; what a step says besides its output was a StepResult's when it was kept.
  return result as StepResult;
}
