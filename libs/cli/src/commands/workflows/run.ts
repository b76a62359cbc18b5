/** `spine workflow run` and `state`: starting a workflow, and how far its runs are. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { WorkflowRunView, WorkflowStepView } from '@spine/sdk';
import { durationCell, stateStyle } from '../../frame/cells.ts';
import { addCommand, choice, option, repeatable } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { EXIT } from '../../frame/exit-codes.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { partitionKeyOf, readParams } from '../../frame/input.ts';
import { intervalOf, WATCH_OPTIONS } from '../../frame/list.ts';
import { barText } from '../../frame/notices.ts';
import type { Output } from '../../frame/output.ts';
import { manyLines, oneLine } from '../../frame/printable.ts';
import { fieldsText } from '../../frame/table.ts';
import type { Column } from '../../frame/table.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { watch } from '../../frame/watch.ts';
import { PARAMS_HELP } from '../runs/submit.ts';
import { PRIORITIES } from '../runs/vocabulary.ts';
import { WAIT_OPTIONS, waitForRun } from '../runs/wait.ts';

const FORMATS = ['ascii', 'mermaid', 'dot'] as const;

async function run(call: Call, context: CliContext): Promise<ExitCode> {
  const { options, arg, args } = call;
  const { out, notices } = context;
  const wait = options.flag('wait');
  const timeoutMs = options.span('timeout') ?? null;
  if (!wait && (timeoutMs !== null || options.flag('cancelOnInterrupt'))) {
    throw new UsageError('--timeout and --cancel-on-interrupt belong to --wait');
  }
  const [, ...more] = args;
  const tags = options.texts('tag');
  const started = await (
    await context.client()
  ).workflows.run(
    arg(0),
    present({
      params: await readParams(context.io, more),
      version: options.whole('at', 1),
      partition: partitionKeyOf(options.texts('partition')),
      force: options.flag('force') ? true : undefined,
      lane: options.text('lane'),
      priority: options.choice('priority', PRIORITIES),
      idempotency_key: options.text('idempotencyKey'),
      correlation_id: options.text('correlationId'),
      tags: tags === undefined ? undefined : [...tags],
    }),
  );
  if (!wait) {
    await out.answer(started, `${started.run_id}\n`);
    return EXIT.ok;
  }
  if (notices.showsProgress) notices.say(`run ${started.run_id}`);
  return waitForRun(context, started.run_id, {
    timeoutMs,
    cancelOnInterrupt: options.flag('cancelOnInterrupt'),
  });
}

function tookOf({ started_at, ended_at }: WorkflowStepView): string | null {
  return started_at === null || ended_at === null
    ? null
    : durationCell(Date.parse(ended_at) - Date.parse(started_at));
}

const STEP_COLUMNS: readonly Column<WorkflowStepView>[] = [
  { head: 'STEP', cell: ({ name }) => name },
  { head: 'KIND', cell: ({ kind }) => kind },
  { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
  { head: 'ATTEMPTS', cell: ({ attempts }) => attempts, align: 'right' },
  {
    head: 'ITEMS',
    cell: ({ items }) => (items === null ? '' : `${items.succeeded}/${items.count}`),
    align: 'right',
  },
  { head: 'TOOK', cell: tookOf, align: 'right' },
  { head: 'RUN', cell: ({ run_id }) => run_id },
  { head: 'ERROR', cell: ({ error, reason }) => error?.message ?? reason ?? '' },
];

const QUALITY: Column<WorkflowStepView> = {
  head: 'VALID',
  cell: ({ quality }) => (quality === null ? '' : `${quality.valid_count}/${quality.record_count}`),
  style: ({ quality }) => (quality?.passed === false ? 'red' : undefined),
  align: 'right',
};

/** What is told of the steps of a run; of their data only where one of them has said something. */
export function stepColumns(steps: readonly WorkflowStepView[]): readonly Column<WorkflowStepView>[] {
  if (steps.every(({ quality }) => quality === null)) return STEP_COLUMNS;
  return STEP_COLUMNS.flatMap((column) => (column.head === 'TOOK' ? [QUALITY, column] : [column]));
}

function stateText(view: WorkflowRunView, out: Output): string {
  const { total, settled } = view.progress;
  const head = fieldsText(
    {
      run: view.run_id,
      workflow: `${view.workflow} version ${view.version}`,
      status: `${view.run_status}, ${view.phase}`,
      progress: `${barText(total === 0 ? 0 : settled / total)} ${settled} of ${total} steps`,
    },
    out.paint,
  );
  const approvals = view.open_approvals.map(
    ({ step, message, approvers }) =>
      `${out.paint('yellow', 'waits for approval')} ${oneLine(step)}: ${oneLine(message)} (${approvers.map(oneLine).join(', ')})\n`,
  );
  const picture = view.picture === null ? '' : `\n${manyLines(view.picture).trimEnd()}\n`;
  return `${head}\n${out.tableText(stepColumns(view.steps), view.steps, 'no steps')}${approvals.join('')}${picture}`;
}

export function registerWorkflowRuns(workflow: Command, context: CliContext): void {
  addCommand(workflow, context, {
    usage: 'run <name> [params...]',
    summary: 'start a published workflow',
    details: PARAMS_HELP,
    options: [
      option('--at <version>', 'this version (default: the newest)'),
      repeatable('--partition <name=value>', 'the partition it works on; a key of many parts takes many'),
      option('--force', 'also where the partition is done already'),
      option('--lane <lane>', 'lane to run in'),
      choice('--priority <priority>', 'before which others it runs', PRIORITIES),
      option('--idempotency-key <key>', 'starts with the same key are one run'),
      option('--correlation-id <id>', 'names what belongs together'),
      repeatable('--tag <tag>', 'may be repeated'),
      option('-w, --wait', 'wait for the end; the exit code says the outcome'),
      ...WAIT_OPTIONS,
    ],
    examples: ['workflow run etl.filings date=2026-01-02 --wait'],
    run,
  });
  addCommand(workflow, context, {
    usage: 'state <run-id>',
    summary: 'show how far each step of a run is',
    options: [choice('--format <format>', 'with a drawing', FORMATS), ...WATCH_OPTIONS],
    examples: ['workflow state 01912345-6789-7abc-8def-0123456789ab --watch'],
    run: async ({ arg, options }, context) => {
      const { out } = context;
      const { workflowRuns } = await context.client();
      const query = present({ format: options.choice('format', FORMATS) });
      const look = async (signal?: AbortSignal) => {
        const data = await workflowRuns.show(arg(0), query, { signal });
        return { data, human: () => stateText(data, out) };
      };
      if (options.flag('watch')) {
        await watch(out, look, { intervalMs: intervalOf(options), signal: context.signal });
      }
      const { data, human } = await look();
      await out.answer(data, human);
    },
  });
}
