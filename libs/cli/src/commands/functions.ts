/** `spine function`: what can be run. */
import type { Function as SpineFunction } from '@spine/sdk';
import { addCommand, addGroup } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { addList } from '../frame/list.ts';
import { parseHandler } from './runs/submit.ts';

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
};
