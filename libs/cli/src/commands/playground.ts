/** `spine playground`: going through a workflow step by step, forwards and back. */
import type { PlaygroundSession, PlaygroundSessionSummary } from '@spine/sdk';
import { present } from '@spine/core';
import { stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, choice, option } from '../frame/command.ts';
import type { Call, Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { readParams } from '../frame/input.ts';
import { addList } from '../frame/list.ts';
import { UsageError } from '../frame/usage-error.ts';
import { registerDriving } from './playground/drive.ts';
import { sessionText, steppedText } from './playground/texts.ts';
import { PARAMS_HELP } from './runs/submit.ts';
import { isFile, readWorkflowFile } from './workflows/file.ts';
import { workflowBody } from './workflows/publish.ts';

const MODES = ['stub', 'recorded', 'live'] as const satisfies readonly PlaygroundSession['mode'][];

async function start({ arg, args, options }: Call, context: CliContext): Promise<void> {
  const [, ...more] = args;
  const target = arg(0);
  const { playground } = await context.client();
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
  const session = await playground.create(body);
  await context.out.answer(session, () => sessionText(session, context));
}

async function step({ arg, options }: Call, context: CliContext): Promise<void> {
  const { playground } = await context.client();
  const to = options.text('to');
  const all = options.flag('all');
  if (to !== undefined && all) throw new UsageError('--to and --all exclude each other');
  const stepped =
    to !== undefined
      ? await playground.runTo(arg(0), { step: to })
      : all
        ? await playground.runAll(arg(0))
        : await playground.step(arg(0));
  await context.out.answer(stepped, () => steppedText(stepped, context));
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
  addList<PlaygroundSessionSummary>(playground, context, {
    usage: 'list',
    summary: 'list sessions',
    options: [option('--workflow <name>', 'with this workflow')],
    columns: [
      { head: 'SESSION', cell: ({ session_id }) => session_id },
      { head: 'WORKFLOW', cell: ({ workflow }) => workflow },
      { head: 'MODE', cell: ({ mode }) => mode },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'MOVES', cell: ({ step_count }) => step_count, align: 'right' },
      { head: 'EXPIRES', cell: ({ expires_at }) => timeCell(expires_at) },
    ],
    none: 'no sessions',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.playground.list({ ...present({ workflow: options.text('workflow') }), limit }),
  });
  addCommand(playground, context, {
    usage: 'show <session-id>',
    summary: 'show where a session is, and what would come next',
    run: async ({ arg }, context) => {
      const session = await (await context.client()).playground.get(arg(0));
      await context.out.answer(session, () => sessionText(session, context));
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
      const session = await (await context.client()).playground.stepBack(arg(0));
      await context.out.answer(session, () => sessionText(session, context));
    },
  });
  registerDriving(playground, context);
  addCommand(playground, context, {
    usage: 'delete <session-id>',
    summary: 'end a session',
    run: async ({ arg }, { client, out }) => {
      const deleted = await (await client()).playground.delete(arg(0));
      await out.answer(deleted, `session ${deleted.session_id} is deleted\n`);
    },
  });
};
