/** `spine workflow runs`, `stats`, `steps`, `items`, `events`, `query`, `picture` and `recording`: looking into runs. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type {
  Run,
  WorkflowFigures,
  WorkflowHistoryEvent,
  WorkflowItem,
  WorkflowQuery,
  WorkflowStepRun,
} from '@spine/sdk';
import { countCell, durationCell, shareCell, stateStyle, timeCell } from '../../frame/cells.ts';
import { addCommand, choice, option, repeatable } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { partitionKeyOf } from '../../frame/input.ts';
import { addList } from '../../frame/list.ts';
import { oneOf } from '../../frame/options.ts';
import { jsonText, manyLines } from '../../frame/printable.ts';
import type { Column } from '../../frame/table.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { RUN_COLUMNS } from '../runs/read.ts';
import { STATUSES } from '../runs/vocabulary.ts';

const QUERIES = [
  'state',
  'context',
  'outputs',
  'step',
  'signals',
] as const satisfies readonly WorkflowQuery['name'][];
const PICTURES = ['svg', 'mermaid', 'dot', 'ascii'] as const;

const FIGURES: readonly Column<WorkflowFigures>[] = [
  { head: 'WORKFLOW', cell: ({ name }) => name },
  { head: 'RUNS', cell: ({ window }) => countCell(window.runs, window.is_capped), align: 'right' },
  { head: 'COMPLETED', cell: ({ completed }) => completed, align: 'right' },
  { head: 'FAILED', cell: ({ failed }) => failed, align: 'right' },
  { head: 'SUCCEEDED', cell: ({ success_rate }) => shareCell(success_rate), align: 'right' },
  { head: 'HALF BELOW', cell: ({ duration_ms }) => durationCell(duration_ms.p50), align: 'right' },
  { head: '99 % BELOW', cell: ({ duration_ms }) => durationCell(duration_ms.p99), align: 'right' },
];

/** @throws UsageError */
function queryOf({ arg, options }: Call): WorkflowQuery {
  const name = oneOf('what is asked', arg(1), QUERIES);
  const steps = options.texts('step');
  switch (name) {
    case 'step': {
      const [step, ...others] = steps ?? [];
      if (step === undefined || others.length > 0) throw new UsageError('step takes one --step');
      return { name, step };
    }
    case 'outputs':
      return { name, ...present({ steps: steps === undefined ? undefined : [...steps] }) };
    case 'state':
    case 'context':
    case 'signals':
      if (steps !== undefined) throw new UsageError('--step belongs to step and outputs');
      return { name };
  }
}

function registerFigures(workflow: Command, context: CliContext): void {
  addList<Run>(workflow, context, {
    usage: 'runs <name>',
    summary: 'list the runs of a workflow, newest first',
    options: [
      repeatable('--status <status>', `in this state: ${STATUSES.join(', ')}; may be repeated`),
      repeatable('--partition <name=value>', 'of this partition; a key of many parts takes many'),
      option('--at <version>', 'of this version'),
      option('--since <when>', 'created since: an instant, a day, or a span ago such as 2h'),
    ],
    examples: ['workflow runs etl.filings --status failed --since 7d'],
    columns: RUN_COLUMNS,
    none: 'no runs',
    cursor: true,
    ask: (client, { arg, options }, position) => {
      const key = partitionKeyOf(options.texts('partition'));
      return client.workflows.runs(arg(0), {
        ...present({
          status: options.choices('status', STATUSES),
          partition: key === undefined ? undefined : jsonText(key),
          version: options.whole('at', 1),
          since: options.instant('since', Date.now()),
        }),
        ...position,
      });
    },
  });
  addList<WorkflowFigures>(workflow, context, {
    usage: 'stats',
    summary: 'list how the runs of each workflow went',
    options: [option('--days <count>', 'of the last days (default: what the API says)')],
    columns: FIGURES,
    none: 'no workflows',
    cursor: true,
    ask: (client, { options }, position) =>
      client.stats.workflows({ ...present({ days: options.whole('days', 1) }), ...position }),
  });
  addCommand(workflow, context, {
    usage: 'figures <name>',
    summary: 'show how the runs of one workflow went: durations, failures, quality, day by day',
    options: [option('--days <count>', 'of the last days (default: what the API says)')],
    run: async ({ arg, options }, { client, out }) => {
      const query = present({ days: options.whole('days', 1) });
      await out.fields(await (await client()).workflows.stats(arg(0), query));
    },
  });
}

function registerParts(workflow: Command, context: CliContext): void {
  addList<WorkflowStepRun>(workflow, context, {
    usage: 'steps <run-id>',
    summary: 'list the runs that a workflow run has started',
    columns: [
      { head: 'STEP', cell: ({ unit }) => unit },
      { head: 'ATTEMPT', cell: ({ attempt }) => attempt, align: 'right' },
      { head: 'HANDLER', cell: ({ run_kind, name }) => `${run_kind}:${name}` },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'RUN', cell: ({ run_id }) => run_id },
      { head: 'ERROR', cell: ({ error }) => error?.message ?? '' },
    ],
    none: 'it has started no run',
    cursor: true,
    ask: (client, { arg }, position) => client.workflowRuns.steps(arg(0), position),
  });
  addList<WorkflowItem>(workflow, context, {
    usage: 'items <run-id> <step>',
    summary: 'list the items of a map step',
    columns: [
      { head: 'ITEM', cell: ({ index }) => index, align: 'right' },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'ATTEMPTS', cell: ({ attempts }) => attempts, align: 'right' },
      { head: 'INPUT', cell: ({ input }) => jsonText(input ?? null) },
      { head: 'ERROR', cell: ({ error }) => error?.message ?? '' },
    ],
    none: 'no items',
    cursor: false,
    ask: (client, { arg }, { limit }) => client.workflowRuns.items(arg(0), arg(1), { limit }),
  });
  addList<WorkflowHistoryEvent>(workflow, context, {
    usage: 'events <run-id>',
    summary: 'list what a run was told, oldest first: results, timers, decisions, signals, changes',
    columns: [
      { head: 'NO', cell: ({ event_no }) => event_no, align: 'right' },
      { head: 'AT', cell: ({ timestamp }) => timeCell(timestamp) },
      { head: 'TYPE', cell: ({ type }) => type },
      { head: 'STEP', cell: ({ unit }) => unit },
      { head: 'IGNORED', cell: ({ ignored }) => ignored ?? '' },
      { head: 'DATA', cell: ({ data }) => jsonText(data), max: 200 },
    ],
    none: 'nothing yet',
    cursor: true,
    ask: (client, { arg }, position) => client.workflowRuns.history(arg(0), position),
  });
}

export function registerInspection(workflow: Command, context: CliContext): void {
  registerFigures(workflow, context);
  registerParts(workflow, context);
  addCommand(workflow, context, {
    usage: 'query <run-id> <what>',
    summary: `ask a run: ${QUERIES.join(', ')}`,
    options: [repeatable('--step <name>', 'of step: which; of outputs: only those, may be repeated')],
    examples: ['workflow query 01912345-6789-7abc-8def-0123456789ab outputs --step fetch'],
    run: async (call, { client, out }) => {
      const answered = await (await client()).workflowRuns.query(call.arg(0), queryOf(call));
      await out.fields(answered, answered.answer);
    },
  });
  addCommand(workflow, context, {
    usage: 'picture <run-id>',
    summary: 'draw the steps of a run, coloured by where they are',
    options: [choice('--format <format>', 'default: svg', PICTURES)],
    examples: ['workflow picture 01912345-6789-7abc-8def-0123456789ab > run.svg'],
    run: async ({ arg, options }, { client, out }) => {
      const format = options.choice('format', PICTURES) ?? 'svg';
      const drawing = await (await client()).workflowRuns.draw(arg(0), { format });
      await out.answer({ format, drawing }, () => `${manyLines(drawing).trimEnd()}\n`);
    },
  });
  addCommand(workflow, context, {
    usage: 'recording <run-id>',
    summary: 'write what a run was given and told as JSON, for tests that play it again',
    examples: ['workflow recording 01912345-6789-7abc-8def-0123456789ab > failed.recording.json'],
    run: async ({ arg }, { client, out }) => {
      const recording = await (await client()).workflowRuns.recording(arg(0));
      await out.answer(recording, () => `${jsonText(recording, 2)}\n`);
    },
  });
}
