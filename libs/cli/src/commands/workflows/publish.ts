/** `spine workflow apply`, `rollback` and `archive`. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { WorkflowRequest } from '@spine/sdk';
import { addCommand, option, YES } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import type { JsonObject } from '../../frame/input.ts';
import { parseJsonObject } from '../../frame/input.ts';
import { wholeNumber } from '../../frame/options.ts';
import { readWorkflowFile } from './file.ts';
import type { WorkflowFile } from './file.ts';

const REVISION = option('--if-version <version>', 'only when this is the version that is published');

/** A definition is judged by the API, which says every field that is wrong. */
function isDefinition(value: JsonObject): value is JsonObject & NonNullable<WorkflowRequest['definition']> {
  return typeof value === 'object';
}

/** As the API takes it. @throws UsageError for JSON that is none */
export function workflowBody({ text, format }: WorkflowFile): WorkflowRequest {
  if (format === 'yaml') return { yaml_content: text };
  const definition = parseJsonObject(text, 'the definition');
  return isDefinition(definition) ? { definition } : {};
}

export function registerPublishing(workflow: Command, context: CliContext): void {
  addCommand(workflow, context, {
    usage: 'apply <file>',
    summary: 'publish a workflow from a YAML or JSON file; - is standard input',
    details:
      'What has not changed makes no new version. `workflow lint` and `workflow dry-run` look at the file first.',
    options: [option('--changelog <text>', 'what has changed')],
    examples: ['workflow apply etl.workflow.yaml --changelog "two retries for the source"'],
    run: async ({ arg, options }, { client, io, out }) => {
      const request = workflowBody(await readWorkflowFile(io, arg(0)));
      const body = { ...request, ...present({ changelog: options.text('changelog') }) };
      const published = await (await client()).workflows.publish(body);
      await out.answer(published, `${published.name} is at version ${published.version}\n`);
    },
  });
  addCommand(workflow, context, {
    usage: 'rollback <name> <version>',
    summary: 'publish an earlier version again',
    options: [option('--reason <text>', 'why (required)').makeOptionMandatory(), REVISION],
    examples: ['workflow rollback etl.filings 2 --reason "version 3 loses amendments"'],
    run: async ({ arg, options }, { client, out }) => {
      const rolled = await (
        await client()
      ).workflows.rollback(
        arg(0),
        { version: wholeNumber('version', arg(1), 1), reason: options.required('reason') },
        present({ ifMatch: options.whole('ifVersion', 1) }),
      );
      await out.answer(rolled, `${rolled.name} is at version ${rolled.version}\n`);
    },
  });
  addCommand(workflow, context, {
    usage: 'archive <name>',
    summary: 'let a workflow be started no more; its runs stay',
    options: [option('--reason <text>', 'why'), REVISION, YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Archive workflow ${arg(0)}?`, options.flag('yes')))) return;
      const archived = await (
        await client()
      ).workflows.archive(
        arg(0),
        present({ reason: options.text('reason') }),
        present({ ifMatch: options.whole('ifVersion', 1) }),
      );
      await out.answer(archived, `${archived.name} is archived\n`);
    },
  });
}
