/** `spine trigger`: what starts runs because something happened. */
import { present } from '@spine/core';
import type { Trigger, TriggerDelivery, TriggerRequest } from '@spine/sdk';
import { stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, choice, option, YES } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { readRequest } from '../frame/input.ts';
import type { CliIo } from '../frame/io.ts';
import { addList } from '../frame/list.ts';

const SOURCES = [
  'webhook',
  'postgres',
  'table',
  'file',
  'redis',
  'run_event',
  'ledger',
] as const satisfies readonly Trigger['source'][];
const STATES = ['active', 'paused'] as const;
const DELIVERED = [
  'ACCEPTED',
  'FILTERED',
  'REJECTED',
] as const satisfies readonly TriggerDelivery['status'][];

const FILE_HELP =
  'The file is JSON as the API takes it: {"name", "source": {"type", …}, "target_type", "target_name", …}; - is standard input.';

function requestIn(io: CliIo, file: string): Promise<TriggerRequest> {
  return readRequest<TriggerRequest>(io, file, 'a trigger', ['name', 'source', 'target_type', 'target_name']);
}

function line({ trigger_id, name, state, version }: Trigger): string {
  return `${trigger_id} ${name} is ${state}, version ${version}\n`;
}

export const register: Register = (program, context) => {
  const trigger = addGroup(program, 'trigger', 'what starts runs because something happened');
  addList<Trigger>(trigger, context, {
    usage: 'list',
    summary: 'list triggers',
    options: [
      choice('--source <source>', 'that listen to this', SOURCES),
      choice('--state <state>', 'in this state', STATES),
    ],
    examples: ['trigger list --source webhook'],
    columns: [
      { head: 'ID', cell: ({ trigger_id }) => trigger_id },
      { head: 'NAME', cell: ({ name }) => name },
      { head: 'STATE', cell: ({ state }) => state, style: ({ state }) => stateStyle(state) },
      { head: 'SOURCE', cell: ({ source }) => source },
      { head: 'LISTENS TO', cell: ({ channel }) => channel },
      { head: 'STARTS', cell: ({ target_type, target_name }) => `${target_type}:${target_name}` },
      { head: 'FILTER', cell: ({ filter }) => filter ?? '' },
      { head: 'VERSION', cell: ({ version }) => version, align: 'right' },
    ],
    none: 'no triggers',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.triggers.list({
        ...present({ source: options.choice('source', SOURCES), state: options.choice('state', STATES) }),
        limit,
      }),
  });
  addCommand(trigger, context, {
    usage: 'show <trigger-id>',
    summary: 'show one trigger',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).triggers.get(arg(0))),
  });
  addList<TriggerDelivery>(trigger, context, {
    usage: 'deliveries <trigger-id>',
    summary: 'list what came and what was made of it, newest first',
    options: [choice('--status <status>', 'what became of it', DELIVERED)],
    examples: ['trigger deliveries 01912345-6789-7abc-8def-0123456789ab --status REJECTED'],
    columns: [
      { head: 'RECEIVED', cell: ({ received_at }) => timeCell(received_at) },
      { head: 'EVENT', cell: ({ event_id }) => event_id },
      { head: 'TYPE', cell: ({ event_type }) => event_type },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'RUN', cell: ({ run_id }) => run_id },
      { head: 'REASON', cell: ({ reason }) => reason ?? '' },
    ],
    none: 'nothing has come',
    cursor: true,
    ask: (client, { arg, options }, position) =>
      client.triggers.deliveries(arg(0), {
        ...present({ status: options.choice('status', DELIVERED) }),
        ...position,
      }),
  });
  addCommand(trigger, context, {
    usage: 'create <file>',
    summary: 'listen from now on, as a file says',
    details: FILE_HELP,
    examples: ['trigger create arrivals.trigger.json'],
    run: async ({ arg }, { client, io, out }) => {
      const made = await (await client()).triggers.create(await requestIn(io, arg(0)));
      await out.answer(made, line(made));
    },
  });
  addCommand(trigger, context, {
    usage: 'update <trigger-id> <file>',
    summary: 'put what a file says in the place of a trigger',
    details: FILE_HELP,
    options: [option('--if-version <version>', 'only when this is the version that is there')],
    run: async ({ arg, options }, { client, io, out }) => {
      const ifMatch = options.whole('ifVersion', 1);
      const body = await requestIn(io, arg(1));
      const changed = await (await client()).triggers.replace(arg(0), body, present({ ifMatch }));
      await out.answer(changed, line(changed));
    },
  });
  for (const [name, alias, summary] of [
    ['pause', 'disable', 'start nothing until it is resumed'],
    ['resume', 'enable', 'let a paused trigger go on'],
  ] as const) {
    addCommand(trigger, context, {
      usage: `${name} <trigger-id>`,
      summary,
      run: async ({ arg }, { client, out }) => {
        const changed = await (await client()).triggers[name](arg(0));
        await out.answer(changed, line(changed));
      },
    }).alias(alias);
  }
  addCommand(trigger, context, {
    usage: 'delete <trigger-id>',
    summary: 'listen no more; the runs it has started stay',
    options: [YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Delete trigger ${arg(0)}?`, options.flag('yes')))) return;
      const deleted = await (await client()).triggers.delete(arg(0));
      await out.answer(deleted, `trigger ${deleted.name} is deleted\n`);
    },
  });
};
