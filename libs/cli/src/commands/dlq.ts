/** `spine dlq`: runs that failed for good, and what is done about them. */
import type { Command } from 'commander';
import { ERROR_CATEGORIES, present } from '@spine/core';
import type { DeadLetter, DeadLetterStats } from '@spine/sdk';
import { countCell, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, choice, option, YES } from '../frame/command.ts';
import type { Call, Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { addList } from '../frame/list.ts';
import type { Options } from '../frame/options.ts';
import { fieldsText } from '../frame/table.ts';
import { UsageError } from '../frame/usage-error.ts';
import { exceptFor, reviewed } from './runs/many.ts';

const FILTER_OPTIONS = [
  option('--handler <handler>', 'of this handler, such as task:fail'),
  choice('--category <category>', 'of this category of error', ERROR_CATEGORIES),
  option('--since <when>', 'written since: an instant, a day, or a span ago such as 2h'),
  option('--until <when>', 'written before'),
];

function filterOf(options: Options) {
  const now = Date.now();
  return present({
    handler: options.text('handler'),
    error_category: options.choice('category', ERROR_CATEGORIES),
    since: options.instant('since', now),
    until: options.instant('until', now),
  });
}

/** @throws UsageError for both and for neither */
function isMany({ args, options }: Call): boolean {
  const filters = Object.keys(filterOf(options)).length;
  const all = options.flag('everyOne');
  if (args.length > 0 && (filters > 0 || all)) throw new UsageError('give an id or filters, not both');
  if (args.length === 0 && filters === 0 && !all) {
    throw new UsageError('give an id, or filters for many, or --every-one');
  }
  return args.length === 0;
}

function manyOf(options: Options) {
  return {
    filter: filterOf(options),
    ...present({ note: options.text('note'), limit: options.whole('max', 1) }),
  };
}

async function replay(call: Call, context: CliContext): Promise<void> {
  const { options, arg } = call;
  const client = await context.client();
  if (!isMany(call)) {
    if (options.flag('dryRun')) throw new UsageError('--dry-run belongs to filters');
    const done = await client.dlq.replay(arg(0), present({ note: options.text('note') }));
    return context.out.answer(done, `${done.run_id} replays ${done.retry_of_run_id}\n`);
  }
  const done = await reviewed(call, context, {
    ask: (dry_run) => client.dlq.replayMany({ ...manyOf(options), dry_run }),
    question: ({ matched, matched_is_capped }) =>
      matched === 0 ? null : `Replay ${countCell(matched, matched_is_capped)} dead letters?`,
  });
  const count = countCell(done.matched, done.matched_is_capped);
  await context.out.answer(
    done,
    done.dry_run
      ? `${count} dead letters would be replayed\n`
      : `${done.replayed} of ${count} dead letters replayed${exceptFor(done.items)}\n`,
  );
}

async function resolve(call: Call, context: CliContext): Promise<void> {
  const { options, arg } = call;
  const client = await context.client();
  if (!isMany(call)) {
    if (options.flag('dryRun')) throw new UsageError('--dry-run belongs to filters');
    const done = await client.dlq.resolve(arg(0), present({ note: options.text('note') }));
    return context.out.answer(done, `${done.dead_letter_id} is ${done.resolution ?? 'pending'}\n`);
  }
  const done = await reviewed(call, context, {
    ask: (dry_run) => client.dlq.resolveMany({ ...manyOf(options), dry_run }),
    question: ({ matched, matched_is_capped }) =>
      matched === 0
        ? null
        : `Resolve ${countCell(matched, matched_is_capped)} dead letters without replaying them?`,
  });
  const count = countCell(done.matched, done.matched_is_capped);
  await context.out.answer(
    done,
    done.dry_run
      ? `${count} dead letters would be resolved\n`
      : `${done.resolved} of ${count} dead letters resolved${exceptFor(done.items)}\n`,
  );
}

function statsText(stats: DeadLetterStats, { out }: CliContext): string {
  const { pending, resolved, replayed, oldest_pending_at, closed_days, groups } = stats;
  const closed = `${resolved} resolved, ${replayed} replayed in ${closed_days} days`;
  return `${fieldsText({ pending, 'oldest pending': timeCell(oldest_pending_at), closed }, out.paint)}\n${out.tableText(
    [
      { head: 'HANDLER', cell: ({ kind, name }) => `${kind}:${name}` },
      { head: 'CATEGORY', cell: ({ error_category }) => error_category },
      { head: 'PENDING', cell: ({ pending }) => pending, align: 'right' },
      { head: 'RESOLVED', cell: ({ resolved }) => resolved, align: 'right' },
      { head: 'REPLAYED', cell: ({ replayed }) => replayed, align: 'right' },
      { head: 'OLDEST PENDING', cell: ({ oldest_pending_at }) => timeCell(oldest_pending_at) },
    ],
    groups,
    'no dead letters',
  )}`;
}

function registerChange(
  dlq: Command,
  context: CliContext,
  name: string,
  summary: string,
  run: (call: Call, context: CliContext) => Promise<void>,
): void {
  addCommand(dlq, context, {
    usage: `${name} [dead-letter-id]`,
    summary,
    details: 'Many are counted first, and asked about before anything is done.',
    options: [
      option('--note <text>', 'why'),
      ...FILTER_OPTIONS,
      option('--every-one', 'all that are pending'),
      option('--dry-run', 'of many: only say how many there are'),
      option('--max <count>', 'of many: at most this many (default: what the API allows at once)'),
      YES,
    ],
    examples: [`dlq ${name} 42`, `dlq ${name} --category NETWORK --since 24h --dry-run`],
    run,
  });
}

export const register: Register = (program, context) => {
  const dlq = addGroup(program, 'dlq', 'dead letters: runs that failed for good');
  addList<DeadLetter>(dlq, context, {
    usage: 'list',
    summary: 'list dead letters, newest first; pending ones unless asked otherwise',
    options: [
      ...FILTER_OPTIONS,
      option('--resolved', 'those that were replayed or resolved'),
      option('--any', 'pending or not'),
    ],
    columns: [
      { head: 'ID', cell: ({ dead_letter_id }) => dead_letter_id },
      { head: 'HANDLER', cell: ({ kind, name }) => `${kind}:${name}` },
      { head: 'CATEGORY', cell: ({ error_category }) => error_category },
      { head: 'ATTEMPTS', cell: ({ attempts }) => attempts, align: 'right' },
      { head: 'CREATED', cell: ({ created_at }) => timeCell(created_at) },
      { head: 'STATE', cell: ({ resolution }) => resolution ?? 'pending' },
      { head: 'RUN', cell: ({ run_id }) => run_id },
      { head: 'ERROR', cell: ({ error }) => error.message },
    ],
    none: 'no dead letters',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.dlq.list({
        ...filterOf(options),
        ...(options.flag('any') ? {} : { resolved: options.flag('resolved') }),
        limit,
      }),
  });
  addCommand(dlq, context, {
    usage: 'show <dead-letter-id>',
    summary: 'show one dead letter with its params and error',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).dlq.get(arg(0))),
  });
  registerChange(dlq, context, 'replay', 'do the run again as a new run, or many by filters', replay);
  registerChange(dlq, context, 'resolve', 'close without doing it again, or many by filters', resolve);
  addCommand(dlq, context, {
    usage: 'purge',
    summary: 'delete closed dead letters, or say how many would go',
    options: [
      option('--older-than <days>', 'closed for so many days (required)').makeOptionMandatory(),
      option('--dry-run', 'only say how many there are'),
      YES,
    ],
    examples: ['dlq purge --older-than 90 --dry-run'],
    run: async (call, context) => {
      const older_than_days = call.options.whole('olderThan', 1) ?? 0;
      const client = await context.client();
      const done = await reviewed(call, context, {
        ask: (dry_run) => client.dlq.purge({ older_than_days, dry_run }),
        question: ({ deleted }) => (deleted === 0 ? null : `Delete ${deleted} closed dead letters?`),
      });
      const what = done.dry_run ? 'would be' : 'are';
      await context.out.answer(done, `${done.deleted} dead letters ${what} deleted\n`);
    },
  });
  addCommand(dlq, context, {
    usage: 'stats',
    summary: 'count dead letters by handler and category',
    run: async (_call, context) => {
      const stats = await (await context.client()).dlq.stats();
      await context.out.answer(stats, () => statsText(stats, context));
    },
  });
};
