/** `spine playground decide`, `signal`, `set`, `context`, `history` and `reset`. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { PlaygroundSnapshot } from '@spine/sdk';
import { addCommand, option } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { readParams } from '../../frame/input.ts';
import { addList } from '../../frame/list.ts';
import { jsonText } from '../../frame/printable.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { PARAMS_HELP } from '../runs/submit.ts';
import { sessionText } from './texts.ts';

export function registerDriving(playground: Command, context: CliContext): void {
  addCommand(playground, context, {
    usage: 'decide <session-id> <step>',
    summary: 'answer an approval that a session waits for',
    options: [
      option('--deny', 'say no (default: approve)'),
      option('--by <name>', 'who decides (required)').makeOptionMandatory(),
      option('--note <text>', 'why'),
    ],
    examples: ['playground decide 01912345-6789-7abc-8def-0123456789ab sign_off --by ada'],
    run: async ({ arg, options }, context) => {
      const body = {
        step: arg(1),
        approved: !options.flag('deny'),
        by: options.required('by'),
        ...present({ comment: options.text('note') }),
      };
      const session = await (await context.client()).playground.decide(arg(0), body);
      await context.out.answer(session, () => sessionText(session, context));
    },
  });
  addCommand(playground, context, {
    usage: 'signal <session-id> <name> [data...]',
    summary: 'send a signal that a session waits for',
    details: PARAMS_HELP,
    run: async ({ arg, args }, context) => {
      const [, , ...more] = args;
      const body = { name: arg(1), ...present({ data: await readParams(context.io, more) }) };
      const session = await (await context.client()).playground.signal(arg(0), body);
      await context.out.answer(session, () => sessionText(session, context));
    },
  });
  addCommand(playground, context, {
    usage: 'set <session-id> [params...]',
    summary: 'change params for all that has not begun',
    details: PARAMS_HELP,
    run: async ({ arg, args }, context) => {
      const [, ...more] = args;
      const params = await readParams(context.io, more);
      if (params === undefined) throw new UsageError('give params such as date=2026-01-02');
      const session = await (await context.client()).playground.setParams(arg(0), { params });
      await context.out.answer(session, () => sessionText(session, context));
    },
  });
  addCommand(playground, context, {
    usage: 'context <session-id>',
    summary: 'show params, context, outputs and the status of every step',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).playground.context(arg(0))),
  });
  addList<PlaygroundSnapshot>(playground, context, {
    usage: 'history <session-id>',
    summary: 'list the moves, without those taken back, oldest first',
    columns: [
      { head: 'MOVE', cell: ({ index }) => index, align: 'right' },
      { head: 'UNIT', cell: ({ unit, type }) => unit ?? type },
      { head: 'RESULT', cell: ({ result }) => result?.status },
      { head: 'OUTPUT', cell: ({ result }) => (result === null ? null : jsonText(result.output)) },
      { head: 'ERROR', cell: ({ result }) => result?.error?.message ?? '' },
    ],
    none: 'no move was made',
    cursor: false,
    ask: (client, { arg }, { limit }) => client.playground.history(arg(0), { limit }),
  });
  addCommand(playground, context, {
    usage: 'reset <session-id>',
    summary: 'begin again from the first step',
    run: async ({ arg }, context) => {
      const session = await (await context.client()).playground.reset(arg(0));
      await context.out.answer(session, () => sessionText(session, context));
    },
  });
}
