/** Many runs in one request: every item has an outcome of its own, and none keeps another from being stored. */
import { workSpecFromJson, workSpecJson } from '@spine/execution';
import type { HttpProblem } from '../http/problem.ts';
import { invalid } from '../http/problem.ts';
import { fieldErrors } from '../http/schema.pipe.ts';
import { toProblem } from '../http/to-problem.ts';
import type { ConfinedSubmit } from './confined-submit.ts';
import type { BatchItemJson } from './run.schemas.ts';
import { submitted } from './submit-outcome.ts';

export interface BatchResult {
  readonly accepted: number;
  readonly existing: number;
  readonly refused: number;
  readonly items: readonly BatchItemJson[];
}

export interface Fault {
  readonly problem: HttpProblem;
  readonly error: unknown;
}

function refusedItem(index: number, problem: HttpProblem): BatchItemJson {
  const errors = problem.errors.map((error) => ({
    ...error,
    field: error.field === '' ? `runs[${index}]` : `runs[${index}].${error.field}`,
  }));
  return { index, outcome: 'refused', code: problem.code, detail: problem.message, errors };
}

async function submitItem(
  submit: ConfinedSubmit,
  item: unknown,
  index: number,
  batchId: string | undefined,
  faults: Fault[],
): Promise<BatchItemJson> {
  const parsed = workSpecJson.safeParse(item);
  if (!parsed.success) return refusedItem(index, invalid(fieldErrors(parsed.error, item, '')));
  const given = workSpecFromJson(parsed.data);
  const spec = batchId === undefined ? given : { correlationId: batchId, ...given };
  try {
    const result = submitted(spec, await submit.submit(spec));
    if (result.type === 'refused') return refusedItem(index, result.problem);
    const { run_id, status } = result.run;
    return {
      index,
      outcome: result.type,
      status,
      run_id,
      warnings: result.type === 'accepted' ? [...result.warnings] : [],
    };
  } catch (error) {
    const problem = toProblem(error);
    if (problem.status >= 500) faults.push({ problem, error });
    return refusedItem(index, problem);
  }
}

/**
 * @param batchId the correlation id of items without one
 * @param onFault told of the first item that failed for a reason the client is not told; the others are like it.
 */
export async function submitBatch(
  submit: ConfinedSubmit,
  items: readonly unknown[],
  batchId: string | undefined,
  onFault: (fault: Fault) => void,
): Promise<BatchResult> {
  const faults: Fault[] = [];
  const results = await Promise.all(
    items.map((item, index) => submitItem(submit, item, index, batchId, faults)),
  );
  if (faults[0] !== undefined) onFault(faults[0]);
  const count = (outcome: BatchItemJson['outcome']): number =>
    results.filter((result) => result.outcome === outcome).length;
  return {
    accepted: count('accepted'),
    existing: count('existing'),
    refused: count('refused'),
    items: results,
  };
}
