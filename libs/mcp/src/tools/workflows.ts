/** Tools of workflows: definitions, what they would do, and how runs of them stand. */
import { RunStatus } from '@spine/core';
import { z } from 'zod';
import { list, one } from '../answer/answer.ts';
import { PART } from '../answer/part.ts';
import { CURSOR_PAGE, id, OFFSET_PAGE, PARAMS, RUN, SINCE, UNTIL } from '../fields.ts';
import { defineTool } from '../tool.ts';
import type { Tool } from '../tool.ts';

const WORKFLOW = { name: id('The workflow’s name.') };
const JSON_OBJECT = z.record(z.string(), z.json());
const VERSION = z.int().min(1).exactOptional().describe('Of the definition. Default the current one.');

export const WORKFLOW_TOOLS: readonly Tool[] = [
  defineTool({
    name: 'workflow_list',
    title: 'List workflows',
    description:
      'Workflows that can be run, with a summary of each. `q` looks in names, tags, steps and descriptions.',
    effect: 'reads',
    input: z.strictObject({
      q: z.string().max(200).exactOptional(),
      domain: z.string().max(200).exactOptional(),
      ...OFFSET_PAGE,
    }),
    run: async (query, { client, call }) => list(await client.workflows.list(query, call).first()),
  }),
  defineTool({
    name: 'workflow_get',
    title: 'Get a workflow',
    description: 'The definition of a workflow: its steps, what they depend on, its policy.',
    effect: 'reads',
    input: z.strictObject({ ...WORKFLOW, version: VERSION, ...PART }),
    run: async ({ name, version, ...part }, { client, call }) =>
      one(
        version === undefined
          ? await client.workflows.get(name, call)
          : await client.workflows.version(name, version, call),
        part,
      ),
  }),
  defineTool({
    name: 'workflow_lint',
    title: 'Check a workflow',
    description:
      'What is wrong or doubtful in a workflow: of one that is published by its `name`, or of a file that is not, given as `yaml_content`. Nothing is stored.',
    effect: 'reads',
    input: z.strictObject({
      name: id('Of a published workflow.').exactOptional(),
      yaml_content: z
        .string()
        .min(1)
        .max(200_000)
        .exactOptional()
        .describe('Instead of a name: the file’s text.'),
    }),
    run: async ({ name, yaml_content }, { client, call }) => {
      if (name !== undefined && yaml_content === undefined) {
        return one(await client.workflows.lint(name, {}, call));
      }
      // Both or none: the API says what is missing.
      return one(await client.workflows.lintPosted(yaml_content === undefined ? {} : { yaml_content }, call));
    },
  }),
  defineTool({
    name: 'workflow_dry_run',
    title: 'Try a workflow',
    description: 'What a run of a workflow would do with these params, step by step, without doing it.',
    effect: 'reads',
    input: z.strictObject({ ...WORKFLOW, params: PARAMS, version: VERSION, ...PART }),
    run: async ({ name, params, version, ...part }, { client, call }) =>
      one(
        await client.workflows.dryRun(
          name,
          {
            ...(params === undefined ? {} : { params: JSON_OBJECT.parse(params) }),
            ...(version === undefined ? {} : { version }),
          },
          call,
        ),
        part,
      ),
  }),
  defineTool({
    name: 'workflow_runs',
    title: 'Runs of a workflow',
    description: 'Runs of one workflow, newest first, by status, time and what they were for.',
    effect: 'reads',
    input: z.strictObject({
      ...WORKFLOW,
      status: z.array(z.enum(RunStatus)).min(1).exactOptional(),
      partition: z
        .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
        .exactOptional()
        .describe('What the run was for, whole: {"week_ending": "2026-01-02"}.'),
      since: SINCE,
      until: UNTIL,
      ...CURSOR_PAGE,
    }),
    run: async ({ name, partition, ...query }, { client, call }) => {
      const of = partition === undefined ? {} : { partition: JSON.stringify(partition) };
      return list(await client.workflows.runs(name, { ...query, ...of }, call).first());
    },
  }),
  defineTool({
    name: 'workflow_stats',
    title: 'Figures of a workflow',
    description: 'How often a workflow ran and failed, how long it and its steps take.',
    effect: 'reads',
    input: z.strictObject({
      ...WORKFLOW,
      days: z.int().min(1).max(365).exactOptional().describe('Back from now. Default 30.'),
    }),
    run: async ({ name, ...query }, { client, call }) => one(await client.workflows.stats(name, query, call)),
  }),
  defineTool({
    name: 'workflow_state',
    title: 'State of a workflow run',
    description: 'How far a run of a workflow is: the state of each step, what it waits for, what failed.',
    effect: 'reads',
    input: z.strictObject({
      ...RUN,
      format: z.enum(['mermaid', 'ascii']).exactOptional().describe('Also a picture.'),
      ...PART,
    }),
    run: async ({ run_id, format, ...part }, { client, call }) =>
      one(await client.workflowRuns.show(run_id, format === undefined ? {} : { format }, call), part),
  }),
  defineTool({
    name: 'workflow_history',
    title: 'History of a workflow run',
    description: 'What a run of a workflow has decided and done, oldest first.',
    effect: 'reads',
    input: z.strictObject({ ...RUN, ...CURSOR_PAGE }),
    run: async ({ run_id, ...query }, { client, call }) =>
      list(await client.workflowRuns.history(run_id, query, call).first()),
  }),
];

export const WORKFLOW_WRITES: readonly Tool[] = [
  defineTool({
    name: 'workflow_run',
    title: 'Run a workflow',
    description:
      'Starts a run of a workflow. Answers as soon as it is stored; run_wait and workflow_state tell how far it is. Try it first with workflow_dry_run.',
    effect: 'adds',
    input: z.strictObject({
      ...WORKFLOW,
      params: PARAMS,
      partition: z
        .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
        .exactOptional()
        .describe('What the run is for, such as {"week_ending": "2026-01-02"}: it is done once.'),
      force: z.boolean().exactOptional().describe('Begin although the partition is completed.'),
      idempotency_key: z.string().max(200).exactOptional().describe('Two starts with one key are one run.'),
      version: VERSION,
    }),
    run: async ({ name, ...start }, { client, call }) => one(await client.workflows.run(name, start, call)),
  }),
];
