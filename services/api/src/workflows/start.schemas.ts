/** Bodies and queries of the endpoints that start runs of a workflow and list them. */
import { z } from 'zod';
import { RUN_STATUSES } from '@spine/core';
import type { WorkflowRunFilter } from '@spine/database';
import { workSpecFromJson, workSpecJson } from '@spine/execution';
import type { WorkflowStart } from '@spine/orchestration';
import { cursorPaging } from '../http/paging.ts';
import { instant, listOfValues, wholeNumber } from '../http/query-values.ts';
import { partitionKeyBody, partitionKeyQuery } from '../ledger/partition-key.schemas.ts';

const { shape } = workSpecJson;
const MOST_VERSIONS = 2_147_483_647;
/** Longer than this a client polls, or follows the run's events. */
const LONGEST_WAIT_SECONDS = 30;

/** What of a work spec is said of the run as a whole; the steps have options of their own. */
const SPEC = {
  params: shape.params,
  idempotency_key: shape.idempotency_key,
  correlation_id: shape.correlation_id,
  lane: shape.lane,
  priority: shape.priority,
  run_after: shape.run_after,
  deadline_seconds: shape.deadline_seconds,
  tags: shape.tags,
  dead_letter: shape.dead_letter,
};

export const startBody = z
  .strictObject({
    ...SPEC,
    partition: partitionKeyBody
      .refine((key) => Object.keys(key).length > 0, 'must have at least one field')
      .optional()
      .describe(
        'What the run is for, such as {"week_ending":"2025-12-12"}. It is done once: a second run of it is skipped.',
      ),
    force: z.boolean().default(false).describe('Begin although the partition is completed. Default false.'),
    version: z
      .int()
      .min(1)
      .max(MOST_VERSIONS)
      .optional()
      .describe('Of the definition. Default the current one.'),
    wait_seconds: z
      .number()
      .min(0)
      .max(LONGEST_WAIT_SECONDS)
      .default(0)
      .describe('So long the answer waits for the end of the run. Default 0.'),
  })
  .default({ force: false, wait_seconds: 0 })
  .meta({ id: 'WorkflowStart', description: 'A run of a workflow.' });
export type StartBody = z.infer<typeof startBody>;

export const START_EXAMPLES = {
  partition: {
    summary: 'A week, once',
    value: { params: { tier: 'OTC' }, partition: { week_ending: '2025-12-12', tier: 'OTC' } },
  },
  again: {
    summary: 'The same week again, waiting for the end',
    value: {
      params: { tier: 'OTC' },
      partition: { week_ending: '2025-12-12', tier: 'OTC' },
      force: true,
      wait_seconds: 10,
    },
  },
};

export function startOf(name: string, body: StartBody): WorkflowStart {
  const { partition, force, version, wait_seconds: _waits, ...spec } = body;
  const { kind: _kind, name: _name, ...options } = workSpecFromJson({ ...spec, kind: 'workflow', name });
  return {
    ...options,
    force,
    ...(partition === undefined ? {} : { partition }),
    ...(version === undefined ? {} : { version }),
  };
}

export const workflowRunListQuery = z.strictObject({
  status: listOfValues(RUN_STATUSES).optional().describe('One or more, separated by commas or repeated.'),
  partition: partitionKeyQuery.optional().describe('The whole partition, as JSON.'),
  version: wholeNumber(1, MOST_VERSIONS)
    .optional()
    .describe('Of the definition that runs have begun with; those that wait have none.'),
  since: instant.optional().describe('Created at or after.'),
  ...cursorPaging,
});
export type WorkflowRunListQuery = z.infer<typeof workflowRunListQuery>;

export function workflowRunFilter(query: WorkflowRunListQuery): WorkflowRunFilter {
  const { status, partition, version, since } = query;
  return {
    ...(status === undefined ? {} : { status }),
    ...(partition === undefined ? {} : { partition }),
    ...(version === undefined ? {} : { version }),
    ...(since === undefined ? {} : { since }),
  };
}
