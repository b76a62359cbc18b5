/** `spine event`: telling whoever listens now; the events of runs are under `run events`. */
import { present } from '@spine/core';
import { addCommand, addGroup, option } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { readParams } from '../frame/input.ts';
import { PARAMS_HELP } from './runs/submit.ts';

export const register: Register = (program, context) => {
  const event = addGroup(program, 'event', 'events that are not of runs');
  addCommand(event, context, {
    usage: 'publish <type> [data...]',
    summary: 'tell whoever listens now; it is not kept',
    details: `Types begin with user, such as user.report_ready. ${PARAMS_HELP}`,
    options: [option('--source <name>', 'who says it (default: what the API says)')],
    examples: ['event publish user.report_ready report=weekly'],
    run: async ({ arg, args, options }, { client, io, out }) => {
      const [, ...more] = args;
      const body = {
        type: arg(0),
        ...present({ data: await readParams(io, more), source: options.text('source') }),
      };
      const published = await (await client()).events.publish(body);
      await out.answer(published, `${published.event_id} is on its way\n`);
    },
  });
  addCommand(event, context, {
    usage: 'status',
    summary: 'show who follows events, and how far they are told',
    run: async (_call, { client, out }) => out.fields(await (await client()).events.status()),
  });
};
