/** `spine approval`: what workflow runs ask people, and what people answer. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import { isProblem } from '@spine/sdk';
import type { Run, SpineClient, WorkflowRunView } from '@spine/sdk';
import { timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, option } from '../frame/command.ts';
import type { Call, Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { intervalOf, WATCH_OPTIONS } from '../frame/list.ts';
import type { Column } from '../frame/table.ts';
import { UsageError } from '../frame/usage-error.ts';
import { watch } from '../frame/watch.ts';

/** Runs that are looked at, unless told otherwise. */
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
/** What a run can be that waits for somebody. */
const UNDER_WAY = ['running', 'paused'] as const;
/** Runs that are asked about at the same time. */
const AT_ONCE = 8;

type Approval = WorkflowRunView['open_approvals'][number] & Pick<WorkflowRunView, 'run_id' | 'workflow'>;

const COLUMNS: readonly Column<Approval>[] = [
  { head: 'RUN', cell: ({ run_id }) => run_id },
  { head: 'STEP', cell: ({ step }) => step },
  { head: 'WORKFLOW', cell: ({ workflow }) => workflow },
  { head: 'APPROVERS', cell: ({ approvers }) => (approvers.length === 0 ? 'anybody' : approvers.join(',')) },
  { head: 'ASKED', cell: ({ asked_at }) => timeCell(asked_at) },
  { head: 'EXPIRES', cell: ({ expires_at }) => timeCell(expires_at) },
  { head: 'MESSAGE', cell: ({ message }) => message },
];

async function openOf(client: SpineClient, runId: string, signal?: AbortSignal): Promise<Approval[]> {
  const { run_id, workflow, open_approvals } = await client.workflowRuns.show(
    runId,
    { limit: 1 },
    { signal },
  );
  return open_approvals.map((each) => ({ run_id, workflow, ...each }));
}

/** Of one of many: that it has not begun, or has gone meanwhile, is no fault. */
async function openOfSome(client: SpineClient, runId: string, signal?: AbortSignal): Promise<Approval[]> {
  try {
    return await openOf(client, runId, signal);
  } catch (error) {
    if (isProblem(error, 'NOT_FOUND', 'CONFLICT')) return [];
    throw error;
  }
}

interface Looked {
  readonly approvals: readonly Approval[];
  /** Whether there are workflow runs that were not looked at. */
  readonly isCut: boolean;
}

/** Of one run, or of the newest workflow runs under way: the API lists approvals by their run. */
async function look(
  { options, args }: Call,
  client: SpineClient,
  limit: number,
  signal?: AbortSignal,
): Promise<Looked> {
  const [runId] = args;
  if (runId !== undefined) return { approvals: await openOf(client, runId, signal), isCut: false };
  const workflow = options.text('workflow');
  const query = { kind: 'workflow' as const, status: [...UNDER_WAY], limit };
  const { data, page } = await client.runs
    .list({ ...query, ...present({ name: workflow }) }, { signal })
    .first();
  const approvals: Approval[] = [];
  for (let from = 0; from < data.length; from += AT_ONCE) {
    const some: readonly Run[] = data.slice(from, from + AT_ONCE);
    approvals.push(
      ...(await Promise.all(some.map(({ run_id }) => openOfSome(client, run_id, signal)))).flat(),
    );
  }
  return { approvals, isCut: page.has_more };
}

async function list(call: Call, context: CliContext): Promise<void> {
  const { options, args } = call;
  const { out, notices } = context;
  if (args.length > 0 && options.text('workflow') !== undefined) {
    throw new UsageError('give a run id or --workflow, not both');
  }
  const limit = options.whole('limit', 1, MAX_LIMIT) ?? DEFAULT_LIMIT;
  const none = 'nothing waits for approval';
  const client = await context.client();
  if (options.flag('watch')) {
    await watch(
      out,
      async (signal) => {
        const { approvals } = await look(call, client, limit, signal);
        return { data: approvals, human: () => out.tableText(COLUMNS, approvals, none) };
      },
      { intervalMs: intervalOf(options), signal: context.signal },
    );
  }
  const { approvals, isCut } = await look(call, client, limit);
  await out.table(COLUMNS, approvals, none);
  if (isCut && !out.json) {
    notices.say(notices.paint('dim', `of the ${limit} newest runs under way; --limit looks at more`));
  }
}

/** @throws UsageError */
async function show({ arg }: Call, { client, out }: CliContext): Promise<void> {
  const open = await openOf(await client(), arg(0));
  const found = open.find(({ step }) => step === arg(1));
  if (found !== undefined) return out.fields(found);
  const steps = open.map(({ step }) => step).join(', ');
  throw new UsageError(`step ${arg(1)} of run ${arg(0)} waits for no approval`, {
    fix: steps === '' ? 'spine approval list shows what does' : `these steps do: ${steps}`,
  });
}

function addDecision(
  approval: Command,
  context: CliContext,
  name: 'approve' | 'reject',
  summary: string,
): void {
  addCommand(approval, context, {
    usage: `${name} <run-id> <step>`,
    summary,
    options: [
      option('--note <text>', 'why'),
      option('--by <name>', 'who decides (default: the name of the key; without keys it has to be said)'),
    ],
    examples: [`approval ${name} 01912345-6789-7abc-8def-0123456789ab sign_off --note "figures checked"`],
    run: async ({ arg, options }, { client, out }) => {
      const body = present({ by: options.text('by'), comment: options.text('note') });
      const told = await (await client()).workflowRuns[name](arg(0), arg(1), body);
      await out.answer(
        told,
        `run ${told.run_id} is told that ${arg(1)} is ${name === 'approve' ? 'approved' : 'rejected'}\n`,
      );
    },
  });
}

export const register: Register = (program, context) => {
  const approval = addGroup(program, 'approval', 'what workflow runs ask people');
  addCommand(approval, context, {
    usage: 'list [run-id]',
    summary: 'list what waits for a decision: of one run, or of the newest workflow runs under way',
    options: [
      option('--workflow <name>', 'of runs of this workflow'),
      option('-n, --limit <count>', `runs to look at, at most ${MAX_LIMIT} (default: ${DEFAULT_LIMIT})`),
      ...WATCH_OPTIONS,
    ],
    examples: ['approval list', 'approval list --workflow etl.filings --watch'],
    run: list,
  });
  addCommand(approval, context, {
    usage: 'show <run-id> <step>',
    summary: 'show what a step asks, whom, and until when',
    run: show,
  });
  addDecision(approval, context, 'approve', 'let the run go on');
  addDecision(approval, context, 'reject', 'say no: the step fails');
};
