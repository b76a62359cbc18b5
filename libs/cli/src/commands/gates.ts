/** `spine breaker`, `limit` and `lock`: what keeps runs from starting, and writers from each other. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { Breaker, Limit, Lock } from '@spine/sdk';
import { stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, choice, option, YES } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { addList } from '../frame/list.ts';
import type { Column } from '../frame/table.ts';

const NOTE = option('--note <text>', 'why');
const LIMITS = ['concurrency', 'rate', 'singleton'] as const satisfies readonly Limit['type'][];

function breakerLine({ name, state, forced, open_until, waiting }: Breaker): string {
  const until = state === 'open' && open_until !== null ? ` until ${timeCell(open_until)}` : '';
  const how = forced ? ', by hand' : '';
  return `breaker ${name} is ${state}${until}${how}; ${waiting} runs wait\n`;
}

function registerBreakers(program: Command, context: CliContext): void {
  const breaker = addGroup(program, 'breaker', 'circuit breakers of what runs depend on');
  addList<Breaker>(breaker, context, {
    usage: 'list',
    summary: 'list circuit breakers',
    columns: [
      { head: 'BREAKER', cell: ({ name }) => name },
      {
        head: 'STATE',
        cell: ({ state, forced }) => (forced ? `${state}, by hand` : state),
        style: ({ state }) => (state === 'closed' ? 'green' : state === 'open' ? 'red' : 'yellow'),
      },
      { head: 'UNTIL', cell: ({ open_until }) => timeCell(open_until) },
      { head: 'FAILURES', cell: ({ failures }) => failures, align: 'right' },
      { head: 'WAITING', cell: ({ waiting }) => waiting, align: 'right' },
      { head: 'BY', cell: ({ changed_by }) => changed_by },
      { head: 'NOTE', cell: ({ note }) => note ?? '' },
    ],
    none: 'no breakers: no run has named one',
    cursor: true,
    ask: (client, _call, position) => client.breakers.list(position),
  });
  addCommand(breaker, context, {
    usage: 'show <name>',
    summary: 'show one circuit breaker',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).breakers.get(arg(0))),
  });
  addCommand(breaker, context, {
    usage: 'open <name>',
    summary: 'let no run through that names it',
    options: [option('--for <span>', 'so long (default: until it is closed or reset)'), NOTE],
    examples: ['breaker open edgar --for 2h --note "the source asked us to stop"'],
    run: async ({ arg, options }, { client, out }) => {
      const span = options.span('for');
      const body = present({
        seconds: span === undefined ? undefined : Math.ceil(span / 1_000),
        note: options.text('note'),
      });
      const changed = await (await client()).breakers.open(arg(0), body);
      await out.answer(changed, breakerLine(changed));
    },
  }).alias('trip');
  for (const [name, summary] of [
    ['close', 'let runs through, whatever fails, until it is reset'],
    ['reset', 'let it decide by itself again, from nothing'],
  ] as const) {
    addCommand(breaker, context, {
      usage: `${name} <name>`,
      summary,
      options: [NOTE],
      run: async ({ arg, options }, { client, out }) => {
        const changed = await (
          await client()
        ).breakers[name](arg(0), present({ note: options.text('note') }));
        await out.answer(changed, breakerLine(changed));
      },
    });
  }
}

function rateCell({ rate }: Limit): string {
  return rate === null ? '' : `${rate.limit} in ${rate.per_seconds} s, ${rate.free} free`;
}

function registerLimits(program: Command, context: CliContext): void {
  const limit = addGroup(program, 'limit', 'concurrency and rate limits, which runs bring with them');
  addList<Limit>(limit, context, {
    usage: 'list',
    summary: 'list the keys that limits count under, with what holds them and what waits',
    options: [choice('--type <type>', 'limits of this type', LIMITS)],
    columns: [
      { head: 'TYPE', cell: ({ type }) => type },
      { head: 'KEY', cell: ({ key }) => key },
      { head: 'HELD', cell: ({ held, limit }) => `${held}/${limit ?? '-'}`, align: 'right' },
      { head: 'RATE', cell: rateCell },
      { head: 'WAITING', cell: ({ waiting }) => waiting, align: 'right' },
      { head: 'RUNS', cell: ({ run_ids }) => run_ids.join(',') },
      { head: 'UPDATED', cell: ({ updated_at }) => timeCell(updated_at) },
    ],
    none: 'no limits: no run has named one',
    cursor: true,
    ask: (client, { options }, position) =>
      client.limits.list({ ...present({ type: options.choice('type', LIMITS) }), ...position }),
  });
}

const LOCK_COLUMNS: readonly Column<Lock>[] = [
  { head: 'LOCK', cell: ({ lock_key }) => lock_key },
  { head: 'OWNER', cell: ({ owner }) => owner },
  { head: 'TOKEN', cell: ({ token }) => token, align: 'right' },
  {
    head: 'STATE',
    cell: ({ active }) => (active ? 'active' : 'expired'),
    style: ({ active }) => stateStyle(active ? 'active' : 'expired'),
  },
  { head: 'ACQUIRED', cell: ({ acquired_at }) => timeCell(acquired_at) },
  { head: 'EXPIRES', cell: ({ expires_at }) => timeCell(expires_at) },
  { head: 'NOTE', cell: ({ note }) => note ?? '' },
];

function registerLocks(program: Command, context: CliContext): void {
  const lock = addGroup(program, 'lock', 'locks of the deployment, such as those of schedulers');
  addCommand(lock, context, {
    usage: 'list',
    summary: 'list locks by key, at most 1,000',
    options: [option('--prefix <text>', 'whose key begins so')],
    run: async ({ options }, { client, out }) => {
      const locks = await (await client()).locks.list(present({ prefix: options.text('prefix') }));
      await out.table(LOCK_COLUMNS, locks, 'no locks');
    },
  });
  addCommand(lock, context, {
    usage: 'release <key>',
    summary: 'take a lock from whoever holds it, whose writes are refused from then on',
    options: [YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Take lock ${arg(0)} from whoever holds it?`, options.flag('yes')))) return;
      const released = await (await client()).locks.release(arg(0));
      await out.answer(released, `lock ${released.lock_key} is taken from ${released.owner}\n`);
    },
  });
}

export const register: Register = (program, context) => {
  registerBreakers(program, context);
  registerLimits(program, context);
  registerLocks(program, context);
};
