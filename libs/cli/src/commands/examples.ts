/** `spine example`: examples that the deployment brings along. */
import { present } from '@spine/core';
import type { Example } from '@spine/sdk';
import { addCommand, addGroup, choice, option } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { readParams } from '../frame/input.ts';
import { addList } from '../frame/list.ts';
import { manyLines } from '../frame/printable.ts';
import { PARAMS_HELP } from './runs/submit.ts';

const LEVELS = [
  'basic',
  'intermediate',
  'advanced',
  'mind-blowing',
] as const satisfies readonly Example['level'][];

export const register: Register = (program, context) => {
  const example = addGroup(program, 'example', 'examples to read and to run');
  addList<Example>(example, context, {
    usage: 'list',
    summary: 'list examples, the simplest first',
    options: [choice('--level <level>', 'of this level', LEVELS), option('--tag <tag>', 'with this tag')],
    columns: [
      { head: 'NAME', cell: ({ name }) => name },
      { head: 'LEVEL', cell: ({ level }) => level },
      { head: 'RUNS', cell: ({ run }) => `${run.kind}:${run.name}` },
      {
        head: 'LIVE',
        cell: ({ live }) => (live ? 'yes' : 'no'),
        style: ({ live }) => (live ? 'green' : 'dim'),
      },
      { head: 'TITLE', cell: ({ title }) => title },
    ],
    none: 'no examples',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.examples.list({
        ...present({ level: options.choice('level', LEVELS), tag: options.text('tag') }),
        limit,
      }),
  });
  addCommand(example, context, {
    usage: 'source <name>',
    summary: 'show the source of an example',
    run: async ({ arg }, { client, out }) => {
      const found = await (await client()).examples.source(arg(0));
      await out.answer(found, () => `${manyLines(found.source).trimEnd()}\n`);
    },
  });
  addCommand(example, context, {
    usage: 'run <name> [params...]',
    summary: 'start an example',
    details: PARAMS_HELP,
    examples: ['example run b1-hello-world'],
    run: async ({ arg, args }, { client, io, out }) => {
      const [, ...more] = args;
      const body = { name: arg(0), ...present({ params: await readParams(io, more) }) };
      const accepted = await (await client()).examples.run(body);
      await out.answer(accepted, `${accepted.run_id}\n`);
    },
  });
};
