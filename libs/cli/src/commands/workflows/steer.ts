/** `spine workflow signal`, `fork`, `replay` and `modify`: telling a run something, and doing a part of it again. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { WorkflowModification } from '@spine/sdk';
import { addCommand, option, repeatable } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { readParams, readRequest } from '../../frame/input.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { PARAMS_HELP } from '../runs/submit.ts';

const REASON = option('--reason <text>', 'why');

async function fork({ arg, args, options }: Call, { client, io, out }: CliContext): Promise<void> {
  const [, ...more] = args;
  const body = {
    from_step: options.required('from'),
    ...present({ params: await readParams(io, more), reason: options.text('reason') }),
  };
  const forked = await (await client()).workflowRuns.fork(arg(0), body);
  const kept = forked.taken_over.length === 0 ? 'nothing' : forked.taken_over.join(', ');
  await out.answer(forked, `${forked.run_id} goes on from ${forked.from_step}, and takes over ${kept}\n`);
}

async function replay({ arg, options }: Call, { client, out }: CliContext): Promise<void> {
  const body = present({ reason: options.text('reason') });
  const replayed = await (await client()).workflowRuns.replayStep(arg(0), arg(1), body);
  await out.answer(
    replayed,
    replayed.mode === 'forked'
      ? `${replayed.run_id} goes on from ${replayed.from_step}\n`
      : `run ${replayed.run_id} does ${replayed.step} again\n`,
  );
}

/** @throws UsageError unless exactly one of the three is given */
async function modificationOf({ options }: Call, { io }: CliContext): Promise<WorkflowModification> {
  const [file, retry, skip] = [options.text('file'), options.text('retry'), options.texts('skip')];
  if ([file, retry, skip].filter((each) => each !== undefined).length !== 1) {
    throw new UsageError('give one of --skip, --retry and --file');
  }
  if (skip !== undefined) return { type: 'skip_steps', steps: [...skip] };
  if (retry !== undefined) return { type: 'retry_step', step: retry };
  return readRequest<WorkflowModification>(io, file ?? '', 'a change of the plan', ['type']);
}

async function modify(call: Call, context: CliContext): Promise<void> {
  const { arg, options } = call;
  const dryRun = options.flag('dryRun');
  const modified = await (
    await context.client()
  ).workflowRuns.modify(arg(0), {
    modification: await modificationOf(call, context),
    ...present({ reason: options.text('reason'), dry_run: dryRun ? true : undefined }),
  });
  const after = modified.suspended ? '; it is paused, so that this takes effect when it is resumed' : '';
  await context.out.answer(
    modified,
    dryRun
      ? `run ${modified.run_id} could be changed so\n`
      : `run ${modified.run_id} is told of the change${after}\n`,
  );
}

export function registerSteering(workflow: Command, context: CliContext): void {
  addCommand(workflow, context, {
    usage: 'signal <run-id> <name> [data...]',
    summary: 'send a signal to a run that waits for it, or will',
    details: PARAMS_HELP,
    examples: [
      'workflow signal 01912345-6789-7abc-8def-0123456789ab file_arrived \'{"rows": 120}\'',
      'workflow signal 01912345-6789-7abc-8def-0123456789ab file_arrived name=weekly.csv',
    ],
    run: async ({ arg, args }, { client, io, out }) => {
      const [, , ...more] = args;
      const body = { name: arg(1), ...present({ data: await readParams(io, more) }) };
      const told = await (await client()).workflowRuns.signal(arg(0), body);
      await out.answer(told, `run ${told.run_id} is told ${arg(1)}\n`);
    },
  });
  addCommand(workflow, context, {
    usage: 'fork <run-id> [params...]',
    summary: 'begin a new run in the middle of this one, which stays as it is',
    details: PARAMS_HELP,
    options: [option('--from <step>', 'the step to begin with (required)').makeOptionMandatory(), REASON],
    examples: ['workflow fork 01912345-6789-7abc-8def-0123456789ab --from store --reason "table was locked"'],
    run: fork,
  });
  addCommand(workflow, context, {
    usage: 'replay <run-id> <step>',
    summary: 'do a step again: of a run that has ended as a fork, of one under way in it',
    options: [REASON],
    examples: ['workflow replay 01912345-6789-7abc-8def-0123456789ab store'],
    run: replay,
  });
  addCommand(workflow, context, {
    usage: 'modify <run-id>',
    summary: 'change the plan of a run that is under way',
    details:
      'A file holds one change as the API takes it, such as {"type": "skip_steps", "steps": ["audit"]}.',
    options: [
      repeatable('--skip <step>', 'leave a step out that has not begun; may be repeated'),
      option('--retry <step>', 'do a step again that has failed'),
      option('-f, --file <file>', 'another change, as JSON; - is standard input'),
      option('--dry-run', 'only say whether it could be done'),
      REASON,
    ],
    examples: ['workflow modify 01912345-6789-7abc-8def-0123456789ab --skip audit --dry-run'],
    run: modify,
  });
}
