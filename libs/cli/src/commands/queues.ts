/** `spine queue` and `spine worker`: where work waits and who does it. */
import { present } from '@spine/core';
import type { Queue, Worker } from '@spine/sdk';
import { countCell, durationCell, stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, option } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { addList } from '../frame/list.ts';

export const register: Register = (program, context) => {
  const queue = addGroup(program, 'queue', 'lanes: where runs wait');
  addList<Queue>(queue, context, {
    usage: 'list',
    summary: 'list lanes with what waits in them',
    columns: [
      { head: 'LANE', cell: ({ lane }) => lane },
      {
        head: 'WAITING',
        cell: ({ waiting, waiting_is_capped }) => countCell(waiting, waiting_is_capped),
        align: 'right',
      },
      { head: 'DUE', cell: ({ due }) => due, align: 'right' },
      { head: 'RUNNING', cell: ({ running }) => running, align: 'right' },
      {
        head: 'OLDEST DUE',
        cell: ({ oldest_due_age_ms }) => durationCell(oldest_due_age_ms),
        align: 'right',
      },
      { head: 'WORKERS', cell: ({ workers }) => workers, align: 'right' },
      { head: 'SLOTS', cell: ({ slots }) => slots, align: 'right' },
      {
        head: 'STATE',
        cell: ({ paused }) =>
          paused === null ? 'open' : `paused${paused.by === null ? '' : ` by ${paused.by}`}`,
        style: ({ paused }) => (paused === null ? undefined : 'yellow'),
      },
    ],
    none: 'no lanes: nothing was submitted, and no worker has said what it serves',
    cursor: false,
    ask: (client, _call, { limit }) => client.queues.list({ limit }),
  });
  addCommand(queue, context, {
    usage: 'pause <lane>',
    summary: 'start nothing of a lane until it is resumed',
    options: [option('--note <text>', 'why')],
    examples: ['queue pause backfill --note "source is down"'],
    run: async ({ arg, options }, { client, out }) => {
      const paused = await (await client()).queues.pause(arg(0), present({ note: options.text('note') }));
      await out.answer(paused, `lane ${paused.lane} is paused\n`);
    },
  });
  addCommand(queue, context, {
    usage: 'resume <lane>',
    summary: 'let a paused lane go on',
    run: async ({ arg }, { client, out }) => {
      const resumed = await (await client()).queues.resume(arg(0));
      await out.answer(resumed, `lane ${resumed.lane} is open\n`);
    },
  });

  const worker = addGroup(program, 'worker', 'the processes that do the work');
  addList<Worker>(worker, context, {
    usage: 'list',
    summary: 'list workers with what they do',
    columns: [
      { head: 'WORKER', cell: ({ worker_id }) => worker_id },
      {
        head: 'STATE',
        cell: ({ status, is_live }) => (is_live || status === 'stopped' ? status : 'silent'),
        style: ({ status, is_live }) => (is_live || status === 'stopped' ? stateStyle(status) : 'red'),
      },
      { head: 'RUNNING', cell: ({ running, slots }) => `${running}/${slots}`, align: 'right' },
      { head: 'LANES', cell: ({ lanes }) => lanes.join(',') },
      { head: 'VERSION', cell: ({ version }) => version },
      { head: 'HOST', cell: ({ hostname, pid }) => `${hostname}:${pid}` },
      { head: 'SEEN', cell: ({ last_seen_at }) => timeCell(last_seen_at) },
    ],
    none: 'no workers',
    cursor: false,
    ask: (client, _call, { limit }) => client.workers.list({ limit }),
  });
  addCommand(worker, context, {
    usage: 'drain <worker-id>',
    summary: 'let a worker end what it has, take nothing new, and stop',
    run: async ({ arg }, { client, out }) => {
      const drain = await (await client()).workers.drain(arg(0));
      await out.answer(drain, `worker ${drain.worker_id} drains\n`);
    },
  });
};
