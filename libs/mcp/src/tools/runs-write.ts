/** Tools that ask for runs, and steer them. */
import { PRIORITIES } from '@spine/core';
import { z } from 'zod';
import { one } from '../answer/answer.ts';
import { PARAMS, RUN } from '../fields.ts';
import { defineTool } from '../tool.ts';
import type { Tool } from '../tool.ts';

const REASON = z.string().max(500).exactOptional().describe('Why; kept in the run’s history.');

export const RUN_WRITES: readonly Tool[] = [
  defineTool({
    name: 'run_submit',
    title: 'Submit a run',
    description:
      'Asks for one run of a task or an operation; a worker takes it up. Answers as soon as it is stored: run_wait waits for its end. For workflows there is workflow_run.',
    effect: 'adds',
    input: z.strictObject({
      kind: z.enum(['task', 'operation']),
      name: z.string().min(1).max(200).describe('Of the handler; function_list has them.'),
      params: PARAMS,
      idempotency_key: z
        .string()
        .max(200)
        .exactOptional()
        .describe('Two submits with one key are one run. Give one, so that asking again is safe.'),
      correlation_id: z.string().max(200).exactOptional().describe('Joins runs that belong together.'),
      priority: z.enum(PRIORITIES).exactOptional(),
      lane: z.string().max(200).exactOptional(),
      tags: z.array(z.string().max(200)).max(20).exactOptional(),
      run_after: z.string().max(40).exactOptional().describe('Not before this instant (RFC 3339).'),
      max_retries: z.int().min(0).max(100).exactOptional(),
      timeout_seconds: z.number().min(1).exactOptional().describe('Of one attempt.'),
    }),
    run: async (spec, { client, call }) =>
      one(await client.runs.submit({ trigger_source: 'mcp', ...spec }, call)),
  }),
  defineTool({
    name: 'run_retry',
    title: 'Retry a run',
    description: 'Does an ended run again, as a new run with the same params. The old one stays as it is.',
    effect: 'adds',
    input: z.strictObject(RUN),
    run: async ({ run_id }, { client, call }) => one(await client.runs.retry(run_id, call)),
  }),
  defineTool({
    name: 'run_cancel',
    title: 'Cancel a run',
    description:
      'Cancels a run that has not ended, with everything it has started. It cannot be taken up again; a retry makes a new one.',
    effect: 'ends',
    input: z.strictObject({
      ...RUN,
      reason: REASON,
      undo: z
        .boolean()
        .exactOptional()
        .describe('Of a workflow: its compensations take back what its steps have done.'),
    }),
    run: async ({ run_id, ...body }, { client, call }) => one(await client.runs.cancel(run_id, body, call)),
  }),
  defineTool({
    name: 'run_pause',
    title: 'Pause a run',
    description: 'Sets a run aside: no worker takes it until run_resume.',
    effect: 'changes',
    input: z.strictObject({ ...RUN, reason: REASON }),
    run: async ({ run_id, ...body }, { client, call }) => one(await client.runs.pause(run_id, body, call)),
  }),
  defineTool({
    name: 'run_resume',
    title: 'Resume a run',
    description: 'Lets a paused run go on.',
    effect: 'changes',
    input: z.strictObject(RUN),
    run: async ({ run_id }, { client, call }) => one(await client.runs.resume(run_id, call)),
  }),
];
