/** `spine workflow list`, `show`, `versions`, `diff` and `history`. */
import type { Command } from 'commander';
import type {
  Workflow,
  WorkflowDiff,
  WorkflowPublication,
  WorkflowSummary,
  WorkflowVersionSummary,
} from '@spine/sdk';
import { present } from '@spine/core';
import { durationCell, shareCell, timeCell } from '../../frame/cells.ts';
import { addCommand, choice, option, repeatable } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { addList } from '../../frame/list.ts';
import { wholeNumber } from '../../frame/options.ts';
import { jsonText, manyLines, oneLine } from '../../frame/printable.ts';

const SORTS = ['relevance', 'name', 'success_rate', 'duration', 'steps'] as const;
const SOURCES = ['code', 'api'] as const;

export function workflowFields(workflow: Workflow): Record<string, unknown> {
  const { name, version, source, domain, description, tags, steps, handlers, hash } = workflow;
  return {
    workflow: name,
    version,
    source,
    domain,
    description,
    tags,
    steps,
    handlers,
    updated: `${timeCell(workflow.updated_at)} by ${workflow.updated_by}`,
    ...(workflow.archived_at === null ? {} : { archived: timeCell(workflow.archived_at) }),
    hash,
  };
}

function diffText({ name, before, after, ...diff }: WorkflowDiff, { out: { paint } }: CliContext): string {
  if (diff.is_equal) return `${oneLine(name)}: versions ${before} and ${after} are equal\n`;
  const change = (place: string, from: unknown, to: unknown): string[] => [
    `  ${oneLine(place)}`,
    paint('red', `  - ${jsonText(from ?? null)}`),
    paint('green', `  + ${jsonText(to ?? null)}`),
  ];
  const lines = [
    paint('bold', `${oneLine(name)}: version ${before} to ${after}`),
    ...diff.steps_added.map((step) => paint('green', `+ step ${oneLine(step)}`)),
    ...diff.steps_removed.map((step) => paint('red', `- step ${oneLine(step)}`)),
    ...(diff.steps_reordered ? ['~ steps in another order'] : []),
    ...diff.steps_changed.flatMap(({ step, fields }) => [
      `~ step ${oneLine(step)}`,
      ...fields.flatMap((each) => change(each.field, each.before, each.after)),
    ]),
    ...diff.fields.flatMap((each) => change(each.field, each.before, each.after)),
  ];
  return `${lines.join('\n')}\n`;
}

export function registerWorkflowReads(workflow: Command, context: CliContext): void {
  addList<WorkflowSummary>(workflow, context, {
    usage: 'list',
    summary: 'list published workflows',
    options: [
      option('--search <text>', 'with this in their name, description, tags or handlers'),
      option('--domain <domain>', 'of this domain'),
      repeatable('--tag <tag>', 'with this tag; may be repeated'),
      option('--handler <name>', 'that call this handler'),
      choice('--source <source>', 'that came from there', SOURCES),
      choice('--sort <by>', 'default: what the API says', SORTS),
      option('--archived', 'archived ones too'),
    ],
    columns: [
      { head: 'NAME', cell: ({ name }) => name },
      { head: 'VERSION', cell: ({ version }) => version, align: 'right' },
      { head: 'SOURCE', cell: ({ source }) => source },
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'STEPS', cell: ({ steps }) => steps, align: 'right' },
      { head: 'SUCCEEDED', cell: ({ stats }) => shareCell(stats?.success_rate ?? null), align: 'right' },
      { head: 'TYPICAL', cell: ({ stats }) => durationCell(stats?.duration_p50_ms), align: 'right' },
      { head: 'UPDATED', cell: ({ updated_at }) => timeCell(updated_at) },
      { head: 'DESCRIPTION', cell: ({ description }) => description },
    ],
    none: 'no workflows',
    cursor: false,
    ask: (client, { options }, { limit }) => {
      const tags = options.texts('tag');
      return client.workflows.list({
        ...present({
          q: options.text('search'),
          domain: options.text('domain'),
          tags: tags === undefined ? undefined : [...tags],
          handler: options.text('handler'),
          source: options.choice('source', SOURCES),
          sort: options.choice('sort', SORTS),
          archived: options.flag('archived') ? true : undefined,
        }),
        limit,
      });
    },
  });
  addCommand(workflow, context, {
    usage: 'show <name>',
    summary: 'show one workflow',
    options: [
      option('--yaml', 'as a file that `workflow apply` takes'),
      option('--at <version>', 'this version with its definition (default: the newest)'),
    ],
    examples: ['workflow show etl.filings', 'workflow show etl.filings --yaml > etl.workflow.yaml'],
    run: async ({ arg, options }, { client, out }) => {
      const { workflows } = await client();
      const version = options.whole('at', 1);
      if (!options.flag('yaml')) {
        if (version !== undefined) return out.fields(await workflows.version(arg(0), version));
        const found = await workflows.get(arg(0));
        return out.fields(found, workflowFields(found));
      }
      const yaml = await workflows.yaml(arg(0), present({ version }));
      await out.answer({ yaml }, () => manyLines(yaml));
    },
  });
  addList<WorkflowVersionSummary>(workflow, context, {
    usage: 'versions <name>',
    summary: 'list the versions of a workflow, newest first',
    columns: [
      { head: 'VERSION', cell: ({ version }) => version, align: 'right' },
      { head: 'CREATED', cell: ({ created_at }) => timeCell(created_at) },
      { head: 'BY', cell: ({ created_by }) => created_by },
      { head: 'HASH', cell: ({ hash }) => hash, max: 13 },
      { head: 'CHANGES', cell: ({ changelog }) => changelog },
    ],
    none: 'no versions',
    cursor: true,
    ask: (client, { arg }, position) => client.workflows.versions(arg(0), position),
  });
  addCommand(workflow, context, {
    usage: 'diff <name> <before> <after>',
    summary: 'show what has changed between two versions',
    examples: ['workflow diff etl.filings 2 3'],
    run: async ({ arg }, context) => {
      const { workflows } = await context.client();
      const [before, after] = [wholeNumber('before', arg(1), 1), wholeNumber('after', arg(2), 1)];
      const diff = await workflows.diff(arg(0), before, after);
      await context.out.answer(diff, () => diffText(diff, context));
    },
  });
  addList<WorkflowPublication>(workflow, context, {
    usage: 'history <name>',
    summary: 'list who has published, rolled back and archived a workflow',
    columns: [
      { head: 'AT', cell: ({ published_at }) => timeCell(published_at) },
      { head: 'ACTION', cell: ({ action }) => action },
      { head: 'VERSION', cell: ({ version }) => version, align: 'right' },
      { head: 'BEFORE', cell: ({ previous_version }) => previous_version, align: 'right' },
      { head: 'BY', cell: ({ published_by }) => published_by },
      { head: 'REASON', cell: ({ reason }) => reason },
    ],
    none: 'never published',
    cursor: true,
    ask: (client, { arg }, position) => client.workflows.publications(arg(0), position),
  });
}
