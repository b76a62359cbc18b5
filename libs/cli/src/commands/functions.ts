/** `spine function`: what can be run. */
import { present } from '@spine/core';
import type { Function as SpineFunction, HandlerStats } from '@spine/sdk';
import { durationCell, shareCell } from '../frame/cells.ts';
import { addCommand, addGroup, option } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { addList } from '../frame/list.ts';
import type { Column } from '../frame/table.ts';
import { parseHandler } from './runs/submit.ts';

const FIGURES: readonly Column<HandlerStats>[] = [
  { head: 'HANDLER', cell: ({ kind, name }) => `${kind}:${name}` },
  { head: 'RUNS', cell: ({ runs }) => runs, align: 'right' },
  { head: 'SUCCEEDED', cell: ({ success_rate }) => shareCell(success_rate), align: 'right' },
  { head: 'ATTEMPTS', cell: ({ attempts }) => attempts, align: 'right' },
  { head: 'CRASHES', cell: ({ crashes }) => crashes, align: 'right' },
  { head: 'WAITED', cell: ({ wait_ms }) => durationCell(wait_ms.p50), align: 'right' },
  { head: 'HALF BELOW', cell: ({ duration_ms }) => durationCell(duration_ms.p50), align: 'right' },
  { head: '99 % BELOW', cell: ({ duration_ms }) => durationCell(duration_ms.p99), align: 'right' },
];

export const register: Register = (program, context) => {
  const group = addGroup(program, 'function', 'handlers that can be run');
  addList<SpineFunction>(group, context, {
    usage: 'list',
    summary: 'list handlers, as workers have told of them',
    columns: [
      { head: 'HANDLER', cell: ({ kind, name }) => `${kind}:${name}` },
      {
        head: 'LIVE',
        cell: ({ live }) => (live ? 'yes' : 'no'),
        style: ({ live }) => (live ? 'green' : 'dim'),
      },
      { head: 'IDEMPOTENCY', cell: ({ idempotency }) => idempotency },
      { head: 'TAGS', cell: ({ tags }) => tags.join(',') },
      { head: 'DESCRIPTION', cell: ({ description }) => description, max: 80 },
    ],
    none: 'no handlers: no worker has started yet',
    cursor: false,
    ask: (client, _call, { limit }) => client.functions.list({ limit }),
  });
  addCommand(group, context, {
    usage: 'show <handler>',
    summary: 'show one handler, such as task:echo, with the schema of its params',
    examples: ['function show operation:finra.otc_transparency.ingest_week'],
    run: async ({ arg }, { client, out }) => {
      const { kind, name } = parseHandler(arg(0));
      await out.fields(await (await client()).functions.get(kind, name));
    },
  });
  addCommand(group, context, {
    usage: 'stats',
    summary: 'list how the runs of each handler went',
    options: [option('--hours <count>', 'of the last hours (default: what the API says)')],
    run: async ({ options }, { client, out }) => {
      const stats = await (await client()).stats.handlers(present({ hours: options.whole('hours', 1) }));
      await out.answer(stats, () => out.tableText(FIGURES, stats.handlers, 'no runs'));
    },
  });
};
