/** Commands that show a list of the API: the same options, paging and watching for every one. */
import type { Command, Option } from 'commander';
import { present } from '@spine/core';
import type { Page, PagedList, SpineClient } from '@spine/sdk';
import { addCommand, option } from './command.ts';
import type { Call } from './command.ts';
import type { CliContext } from './context.ts';
import type { Options } from './options.ts';
import { UsageError } from './usage-error.ts';
import { jsonText } from './printable.ts';
import type { Column } from './table.ts';
import { watch } from './watch.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
const DEFAULT_WATCH_MS = 2_000;

export interface Position {
  readonly limit: number;
  readonly cursor?: string;
}

export interface ListSpec<T> {
  readonly usage: string;
  readonly summary: string;
  readonly details?: string;
  /** Its filters. */
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  readonly columns: readonly Column<T>[];
  /** What a person reads in place of rows. */
  readonly none: string;
  /** Whether the list has a cursor; others are short, and only cut by a limit. */
  readonly cursor: boolean;
  readonly ask: (client: SpineClient, call: Call, position: Position) => PagedList<T>;
}

export const WATCH_OPTIONS = [
  option('-w, --watch', 'look again and again'),
  option('--interval <span>', 'between looks (default: 2s)'),
];

export function intervalOf(options: Options): number {
  return options.span('interval') ?? DEFAULT_WATCH_MS;
}

export function addList<T>(parent: Command, context: CliContext, spec: ListSpec<T>): Command {
  return addCommand(parent, context, {
    ...spec,
    options: [
      ...(spec.options ?? []),
      option('-n, --limit <count>', `rows, at most ${MAX_LIMIT} (default: ${DEFAULT_LIMIT})`),
      option('--all', 'every row, page by page'),
      ...(spec.cursor ? [option('--cursor <cursor>', 'go on where the last list ended')] : []),
      ...WATCH_OPTIONS,
    ],
    run: (call) => runList(spec, call, context),
  });
}

async function runList<T>(spec: ListSpec<T>, call: Call, context: CliContext): Promise<void> {
  const { options } = call;
  const { out } = context;
  const all = options.flag('all');
  if (all && options.flag('watch')) throw new UsageError('--all and --watch exclude each other');
  const limit = options.whole('limit', 1, MAX_LIMIT) ?? (all ? MAX_LIMIT : DEFAULT_LIMIT);
  const position = present({ limit, cursor: options.text('cursor') });
  const client = await context.client();
  if (all) return everyPage(spec, spec.ask(client, call, position), context);
  if (options.flag('watch')) {
    await watch(
      out,
      async () => {
        const { data } = await spec.ask(client, call, position).first();
        return { data, human: () => out.tableText(spec.columns, data, spec.none) };
      },
      { intervalMs: intervalOf(options), signal: context.signal },
    );
  }
  const { data, page } = await spec.ask(client, call, position).first();
  await out.table(spec.columns, data, spec.none);
  sayMore(context, data.length, page);
}

function sayMore({ notices, out }: CliContext, count: number, page: Page): void {
  if (!page.has_more || out.json) return;
  const total = `${page.total}${page.total_is_capped ? ' or more' : ''}`;
  const how = page.next_cursor === null ? '--limit or --all' : `--all, or --cursor ${page.next_cursor}`;
  notices.say(notices.paint('dim', `${count} of ${total}; for more: ${how}`));
}

/** One JSON array, or one table after the other, each page when it comes. */
async function everyPage<T>(spec: ListSpec<T>, list: PagedList<T>, { out }: CliContext): Promise<void> {
  let count = 0;
  if (out.json) await out.write('[');
  for await (const { data } of list.pages()) {
    if (out.json) {
      for (const [index, each] of data.entries()) {
        await out.write(`${count + index === 0 ? '' : ','}\n${jsonText(each)}`);
      }
    } else if (data.length > 0) {
      await out.write(out.tableText(spec.columns, data, spec.none));
    }
    count += data.length;
  }
  if (out.json) await out.write('\n]\n');
  else if (count === 0) await out.write(`${spec.none}\n`);
}
