/** `spine playground`: going through a workflow step by step, forwards and back. */
import type {
  PlaygroundPeek,
  PlaygroundSession,
  PlaygroundSessionSummary,
  PlaygroundStepped,
} from '@spine/sdk';
import { present } from '@spine/core';
import { stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, choice, option } from '../frame/command.ts';
import type { Call, Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { readParams } from '../frame/input.ts';
import { jsonText } from '../frame/printable.ts';
import { fieldsText } from '../frame/table.ts';
import { UsageError } from '../frame/usage-error.ts';
import { PARAMS_HELP } from './runs/submit.ts';
import { isFile, readWorkflowFile } from './workflows/file.ts';
import { workflowBody } from './workflows/publish.ts';

const MODES = ['stub', 'recorded', 'live'] as const satisfies readonly PlaygroundSession['mode'][];

function nextText(next: PlaygroundPeek): string {
  switch (next.type) {
    case 'work':
      return `${next.unit}, with ${jsonText(next.params)}`;
    case 'timer':
      return `timer ${next.timer} at ${next.at}`;
    case 'waiting':
      return `waits for ${[...next.approvals, ...next.signals].join(', ')}`;
    case 'ended':
      return `nothing: it is ${next.status}, with ${jsonText(next.outputs)}`;
  }
}

function sessionText(session: PlaygroundSession, { out: { paint } }: CliContext): string {
  const { session_id, workflow, version, mode, status, step_count, remaining, next } = session;
  return fieldsText(
    {
      session: session_id,
      workflow: version === null ? workflow : `${workflow} version ${version}`,
      mode,
      status,
      moves: step_count,
      remaining,
      next: nextText(next),
      expires: timeCell(session.expires_at),
    },
    paint,
  );
}

function steppedText({ session, steps }: PlaygroundStepped, context: CliContext): string {
  const { out } = context;
  const made = out.tableText(
    [
      { head: 'MOVE', cell: ({ index }) => index, align: 'right' },
      { head: 'UNIT', cell: ({ unit, type }) => unit ?? type },
      { head: 'RESULT', cell: ({ result }) => result?.status },
      { head: 'OUTPUT', cell: ({ result }) => (result === null ? null : jsonText(result.output)) },
      { head: 'ERROR', cell: ({ result }) => result?.error?.message ?? '' },
    ],
    steps,
    'no move was made',
  );
  return `${made}\n${sessionText(session, context)}`;
}

async function start({ arg, args, options }: Call, context: CliContext): Promise<void> {
  const [, ...more] = args;
  const target = arg(0);
  const { api } = await context.client();
  const workflow = isFile(target)
    ? workflowBody(await readWorkflowFile(context.io, target))
    : { workflow: target, ...present({ version: options.whole('at', 1) }) };
  const body = {
    ...workflow,
    ...present({
      params: await readParams(context.io, more),
      mode: options.choice('mode', MODES),
      run_id: options.text('run'),
      environment: options.text('environment'),
    }),
  };
  const { data } = (await api.createPlaygroundSession({ body })).data;
  await context.out.answer(data, () => sessionText(data, context));
}

async function step({ arg, options }: Call, context: CliContext): Promise<void> {
  const { api } = await context.client();
  const path = { session_id: arg(0) };
  const to = options.text('to');
  const all = options.flag('all');
  if (to !== undefined && all) throw new UsageError('--to and --all exclude each other');
  const answered =
    to !== undefined
      ? await api.runPlaygroundTo({ path, body: { step: to } })
      : all
        ? await api.runPlaygroundAll({ path, body: {} })
        : await api.stepPlayground({ path, body: {} });
  const { data } = answered.data;
  await context.out.answer(data, () => steppedText(data, context));
}

export const register: Register = (program, context) => {
  const playground = addGroup(program, 'playground', 'go through a workflow step by step');
  addCommand(playground, context, {
    usage: 'start <file-or-name> [params...]',
    summary: 'begin a session with a workflow',
    details: PARAMS_HELP,
    options: [
      choice('--mode <mode>', 'where results come from (default: what the API says)', MODES),
      option('--run <run-id>', 'with --mode recorded: the run whose results are used'),
      option('--at <version>', 'of a published workflow: this version (default: the newest)'),
      option('--environment <name>', 'where it believes to run'),
    ],
    examples: [
      'playground start etl.workflow.yaml date=2026-01-02',
      'playground start etl.filings --mode recorded --run 01912345-6789-7abc-8def-0123456789ab',
    ],
    run: start,
  });
  addCommand(playground, context, {
    usage: 'list',
    summary: 'list sessions',
    options: [option('--workflow <name>', 'with this workflow')],
    run: async ({ options }, { client, out }) => {
      const query = present({ workflow: options.text('workflow'), limit: 100 });
      const { data } = (await (await client()).api.listPlaygroundSessions({ query })).data;
      await out.table<PlaygroundSessionSummary>(
        [
          { head: 'SESSION', cell: ({ session_id }) => session_id },
          { head: 'WORKFLOW', cell: ({ workflow }) => workflow },
          { head: 'MODE', cell: ({ mode }) => mode },
          { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
          { head: 'MOVES', cell: ({ step_count }) => step_count, align: 'right' },
          { head: 'EXPIRES', cell: ({ expires_at }) => timeCell(expires_at) },
        ],
        data,
        'no sessions',
      );
    },
  });
  addCommand(playground, context, {
    usage: 'show <session-id>',
    summary: 'show where a session is, and what would come next',
    run: async ({ arg }, context) => {
      const { api } = await context.client();
      const { data } = (await api.getPlaygroundSession({ path: { session_id: arg(0) } })).data;
      await context.out.answer(data, () => sessionText(data, context));
    },
  });
  addCommand(playground, context, {
    usage: 'step <session-id>',
    summary: 'make the next move, or many',
    options: [option('--to <step>', 'moves up to this step'), option('--all', 'every move there is')],
    run: step,
  });
  addCommand(playground, context, {
    usage: 'back <session-id>',
    summary: 'take the last move back',
    run: async ({ arg }, context) => {
      const { api } = await context.client();
      const { data } = (await api.stepPlaygroundBack({ path: { session_id: arg(0) } })).data;
      await context.out.answer(data, () => sessionText(data, context));
    },
  });
  addCommand(playground, context, {
    usage: 'delete <session-id>',
    summary: 'end a session',
    run: async ({ arg }, { client, out }) => {
      const { api } = await client();
      const { data } = (await api.deletePlaygroundSession({ path: { session_id: arg(0) } })).data;
      await out.answer(data, `session ${data.session_id} is deleted\n`);
    },
  });
};
