import type { Command } from 'commander';
import { present } from '@spine/core';
import { countCell } from '../../frame/cells.ts';
import { addCommand, option, repeatable, YES } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { exceptFor, reviewed } from './many.ts';
import { FILTER_OPTIONS, filterOf } from './vocabulary.ts';

const ACTIVE = ['pending', 'queued', 'running', 'paused'] as const;
const ENDED_BADLY = ['failed', 'timed_out', 'dead_lettered', 'cancelled'] as const;

const MANY_OPTIONS = [
  ...FILTER_OPTIONS,
  option('--dry-run', 'of many: only say how many there are'),
  option('--max <count>', 'of many: at most this many (default: what the API allows at once)'),
  YES,
];

/** Whether many are meant. @throws UsageError for both, and for neither: nobody means every run there is */
function isMany({ args, options }: Call): boolean {
  const filters = Object.keys(filterOf(options)).length + (options.texts('status') === undefined ? 0 : 1);
  if (args.length > 0 && filters > 0) throw new UsageError('give a run id or filters, not both');
  if (args.length === 0 && filters === 0) throw new UsageError('give a run id, or filters for many runs');
  return args.length === 0;
}

async function cancel(call: Call, context: CliContext): Promise<void> {
  const { options } = call;
  const { out } = context;
  const reason = options.text('reason');
  const client = await context.client();
  if (!isMany(call)) {
    const body = present({ reason, undo: options.flag('undo') ? true : undefined });
    const cancelled = await client.runs.cancel(call.arg(0), body);
    return out.answer(
      cancelled,
      `${cancelled.run_id} is ${cancelled.status}, was ${cancelled.previous_status}\n`,
    );
  }
  const body = {
    filter: { ...filterOf(options), ...present({ status: options.choices('status', ACTIVE) }) },
    ...present({ reason, limit: options.whole('max', 1) }),
  };
  const done = await reviewed(call, context, {
    ask: (dry_run) => client.runs.cancelMany({ ...body, dry_run }),
    question: ({ matched, matched_is_capped }) =>
      matched === 0 ? null : `Cancel ${countCell(matched, matched_is_capped)} runs?`,
  });
  await out.answer(done, () =>
    done.dry_run
      ? `${countCell(done.matched, done.matched_is_capped)} runs would be cancelled\n`
      : `${done.cancelled} of ${countCell(done.matched, done.matched_is_capped)} runs cancelled, and ${done.descendants} that they had started\n`,
  );
}

async function retry(call: Call, context: CliContext): Promise<void> {
  const { options } = call;
  const { out } = context;
  const client = await context.client();
  if (!isMany(call)) {
    const retried = await client.runs.retry(call.arg(0));
    return out.answer(retried, `${retried.run_id} retries ${retried.retry_of_run_id}\n`);
  }
  const body = {
    filter: { ...filterOf(options), ...present({ status: options.choices('status', ENDED_BADLY) }) },
    ...present({ limit: options.whole('max', 1) }),
  };
  const done = await reviewed(call, context, {
    ask: (dry_run) => client.runs.retryMany({ ...body, dry_run }),
    question: ({ matched, matched_is_capped }) =>
      matched === 0 ? null : `Retry ${countCell(matched, matched_is_capped)} runs?`,
  });
  const count = countCell(done.matched, done.matched_is_capped);
  await out.answer(
    done,
    done.dry_run
      ? `${count} runs would be retried\n`
      : `${done.retried} of ${count} runs retried${exceptFor(done.items)}\n`,
  );
}

export function registerChanges(run: Command, context: CliContext): void {
  addCommand(run, context, {
    usage: 'cancel [run-id]',
    summary: 'cancel a run and what it has started, or many by filters',
    options: [
      option('--reason <text>', 'why'),
      option('--undo', 'of a workflow: take back what its steps have done'),
      repeatable('--status <status>', `of many: ${ACTIVE.join(', ')}; may be repeated`),
      ...MANY_OPTIONS,
    ],
    examples: ['run cancel 01912345-6789-7abc-8def-0123456789ab', 'run cancel --name task.slow --dry-run'],
    run: cancel,
  });
  addCommand(run, context, {
    usage: 'retry [run-id]',
    summary: 'do an ended run again as a new run, or many by filters',
    options: [
      repeatable('--status <status>', `of many: ${ENDED_BADLY.join(', ')}; may be repeated`),
      ...MANY_OPTIONS,
    ],
    examples: [
      'run retry 01912345-6789-7abc-8def-0123456789ab',
      'run retry --status failed --since 1h --yes',
    ],
    run: retry,
  });
  addCommand(run, context, {
    usage: 'pause <run-id>',
    summary: 'keep a run from starting, or a workflow from going on',
    options: [option('--reason <text>', 'why')],
    run: async ({ arg, options }, { client, out }) => {
      const paused = await (await client()).runs.pause(arg(0), present({ reason: options.text('reason') }));
      await out.answer(paused, `${paused.run_id} is paused, was ${paused.previous_status}\n`);
    },
  });
  addCommand(run, context, {
    usage: 'resume <run-id>',
    summary: 'let a paused run go on',
    run: async ({ arg }, { client, out }) => {
      const resumed = await (await client()).runs.resume(arg(0));
      await out.answer(resumed, `${resumed.run_id} is ${resumed.status}\n`);
    },
  });
}
