/** Bodies, queries and answers of the run endpoints. */
import { z } from 'zod';
import { isStorableText, RUN_KINDS, RUN_STATUSES } from '@spine/core';
import type { RunFilter } from '@spine/database';
import { LIMITS } from '@spine/execution';
import { cursorPaging } from '../http/paging.ts';
import { flag, instant, listOfValues, once, text } from '../http/query-values.ts';
import { fieldErrorJson } from '../openapi/problem.schema.ts';

export const BATCH_LIMIT = 1_000;

export const submitQuery = z.strictObject({
  allow_unknown: flag
    .default(false)
    .describe('Accept a handler that nobody knows yet: the run waits for a worker that does.'),
});
export type SubmitQuery = z.infer<typeof submitQuery>;

export const runAcceptedJson = z
  .object({
    run_id: z.string(),
    status: z.enum(RUN_STATUSES),
    kind: z.enum(RUN_KINDS),
    name: z.string(),
    lane: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'RunAccepted', description: 'A run that was stored and will be executed.' });
export type RunAcceptedJson = z.infer<typeof runAcceptedJson>;

/** Items are looked at one by one, so that a bad one does not stop the others. */
export const batchBody = z
  .strictObject({
    runs: z
      .array(z.unknown().meta({ $ref: '#/components/schemas/WorkSpec' }))
      .min(1)
      .max(BATCH_LIMIT),
    batch_id: z
      .string()
      .min(1)
      .max(LIMITS.keyLength)
      .refine(isStorableText, 'must not contain NUL characters or lone surrogates')
      .optional()
      .describe('The correlation id of runs that have none of their own: GET /runs?batch_id= finds them.'),
  })
  .meta({ id: 'RunBatch', description: `1 to ${BATCH_LIMIT} work specs.` });
export type BatchBody = z.infer<typeof batchBody>;

export const batchItemJson = z
  .discriminatedUnion('outcome', [
    z.object({
      index: z.int(),
      outcome: z.enum(['accepted', 'existing']),
      status: z.enum(RUN_STATUSES),
      run_id: z.string(),
      warnings: z.array(z.string()),
    }),
    z.object({
      index: z.int(),
      outcome: z.literal('refused'),
      code: z.string().describe('As in a problem document.'),
      detail: z.string(),
      errors: z.array(fieldErrorJson),
    }),
  ])
  .meta({ id: 'BatchItem', description: 'What became of one item, by its index in the request.' });
export type BatchItemJson = z.infer<typeof batchItemJson>;

export const batchResultJson = z
  .object({ accepted: z.int(), existing: z.int(), refused: z.int(), items: z.array(batchItemJson) })
  .meta({ id: 'BatchResult' });

/**
 * `workflow` and `batch_id` are other words for `kind` with `name` and for `correlation_id`: what is said twice has to be the
 * same.
 */
export function sayTheSame(
  { workflow, kind, name, batch_id, correlation_id }: RunFilterFields,
  ctx: z.RefinementCtx,
): void {
  const issue = (path: string, message: string): void =>
    ctx.addIssue({ code: 'custom', path: [path], message });
  if (workflow !== undefined && kind !== undefined && kind !== 'workflow')
    issue('kind', 'must be workflow, or be left out, where workflow is given');
  if (workflow !== undefined && name !== undefined && name !== workflow)
    issue('name', 'must be the same as workflow, or be left out');
  if (batch_id !== undefined && correlation_id !== undefined && batch_id !== correlation_id)
    issue('correlation_id', 'must be the same as batch_id, or be left out');
}

export const WORKFLOW_FILTER =
  'Runs of this workflow, whatever started them: kind workflow and this name. Their steps are in GET /runs/{run_id}/steps.';
export const BATCH_FILTER =
  'Runs of this batch: a batch gives its id to its runs as their correlation id, and to what they write to the ledger.';

const runListFields = z.strictObject({
  kind: once(z.enum(RUN_KINDS)).optional(),
  status: listOfValues(RUN_STATUSES).optional().describe('One or more, separated by commas or repeated.'),
  name: text(200).optional().describe('Handler name without its kind.'),
  lane: once(z.string().regex(LIMITS.lane)).optional(),
  workflow: text(200).optional().describe(WORKFLOW_FILTER),
  correlation_id: text(LIMITS.keyLength).optional(),
  batch_id: text(LIMITS.keyLength).optional().describe(BATCH_FILTER),
  parent_run_id: once(z.uuid()).optional(),
  tag: text(LIMITS.tagLength).optional(),
  since: instant.optional().describe('Created at or after.'),
  until: instant.optional().describe('Created before.'),
  ...cursorPaging,
});
export const runListQuery = runListFields.superRefine(sayTheSame);
export type RunListQuery = z.infer<typeof runListFields>;

/** The part of a request that says which runs. */
export type RunFilterFields = Omit<RunListQuery, keyof typeof cursorPaging>;

export function runFilter(query: RunFilterFields): RunFilter {
  const { workflow, batch_id, status, lane, parent_run_id, tag, since, until } = query;
  const kind = workflow === undefined ? query.kind : 'workflow';
  const name = workflow ?? query.name;
  const correlation_id = batch_id ?? query.correlation_id;
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(status === undefined ? {} : { status }),
    ...(name === undefined ? {} : { name }),
    ...(lane === undefined ? {} : { lane }),
    ...(correlation_id === undefined ? {} : { correlationId: correlation_id }),
    ...(parent_run_id === undefined ? {} : { parentRunId: parent_run_id }),
    ...(tag === undefined ? {} : { tag }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

export const runQuery = z.strictObject({
  payloads: flag
    .default(true)
    .describe('false leaves out params and results that are not in the run itself; see `omitted`.'),
});
export type RunQuery = z.infer<typeof runQuery>;

export const eventListQuery = z.strictObject(cursorPaging);
export type EventListQuery = z.infer<typeof eventListQuery>;

export const cancelBody = z
  .strictObject({
    reason: z.string().max(1_000).optional().describe('Kept in the run’s history.'),
    undo: z
      .boolean()
      .default(false)
      .describe('Of a workflow: what its steps have done is undone by their compensations. Default false.'),
  })
  .optional()
  .meta({ id: 'CancelRequest' });
export type CancelBody = z.infer<typeof cancelBody>;

/** For endpoints whose body may be left out and holds nothing. */
export const emptyBody = z.strictObject({}).optional().meta({ id: 'Empty' });
export type EmptyBody = z.infer<typeof emptyBody>;

export const cancelledJson = z
  .object({
    run_id: z.string(),
    status: z
      .enum(['cancelled', 'undoing'])
      .describe('undoing: it ends as cancelled when its compensations have run.'),
    previous_status: z.enum(RUN_STATUSES),
  })
  .meta({ id: 'RunCancelled' });

export const retriedJson = z
  .object({
    run_id: z.string().describe('The new run.'),
    status: z.enum(RUN_STATUSES),
    retry_of_run_id: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'RunRetried' });
