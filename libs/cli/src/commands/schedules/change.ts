/** `spine schedule create`, `update`, `pause`, `resume`, `trigger`, `backfill` and `delete`. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import { timeCell } from '../../frame/cells.ts';
import { addCommand, choice, option, YES } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { instantOf } from '../../frame/options.ts';
import { reviewed } from '../runs/many.ts';
import { PARAMS_HELP } from '../runs/submit.ts';
import { PRIORITIES } from '../runs/vocabulary.ts';
import { MISFIRE, OVERLAP, scheduleIn, scheduleOf, WHEN_OPTIONS } from './request.ts';

async function backfill(call: Call, context: CliContext): Promise<void> {
  const { arg, options } = call;
  const now = Date.now();
  const body = {
    from: instantOf('--from', options.required('from'), now),
    to: instantOf('--to', options.required('to'), now),
    ...present({ max_concurrency: options.whole('concurrency', 1) }),
  };
  const { schedules } = await context.client();
  const done = await reviewed(call, context, {
    ask: (dry_run) => schedules.backfill(arg(0), { ...body, dry_run }),
    question: ({ occurrences, already_fired }) =>
      occurrences === already_fired ? null : `Start ${occurrences - already_fired} runs?`,
  });
  const { occurrences, already_fired, started } = done;
  await context.out.answer(
    done,
    done.dry_run
      ? `${occurrences - already_fired} runs would be started, ${already_fired} of ${occurrences} times were served already\n`
      : `${started.length} of ${occurrences} times are started, ${already_fired} were served already\n`,
  );
}

export function registerScheduleChanges(schedule: Command, context: CliContext): void {
  addCommand(schedule, context, {
    usage: 'create [name] [handler] [params...]',
    summary: 'start a handler by itself from now on',
    details: PARAMS_HELP,
    options: [
      ...WHEN_OPTIONS,
      option('-f, --file <file>', 'the whole schedule as JSON, for what has no option here'),
      option('--description <text>', 'what it is for'),
      option('--lane <lane>', 'lane to run in'),
      choice('--priority <priority>', 'before which others it runs', PRIORITIES),
      choice('--misfire <policy>', 'what becomes of times that were missed', MISFIRE),
      choice('--overlap <policy>', 'what happens while the last run goes on', OVERLAP),
      option('--paused', 'do not begin yet'),
    ],
    examples: [
      'schedule create nightly operation:etl_stub records=100 --cron "0 18 * * 1-5" --timezone America/New_York',
      'schedule create heartbeat task:echo message=alive --every 5m --overlap skip',
    ],
    run: async (call, context) => {
      const made = await (await context.client()).schedules.create(await scheduleOf(call, context));
      await context.out.answer(
        made,
        `${made.schedule_id} ${made.state}, next ${timeCell(made.next_fire_at) ?? 'never'}\n`,
      );
    },
  });
  for (const [name, summary] of [
    ['pause', 'start nothing of a schedule until it is resumed'],
    ['resume', 'let a paused schedule go on'],
  ] as const) {
    addCommand(schedule, context, {
      usage: `${name} <schedule-id>`,
      summary,
      run: async ({ arg }, { client, out }) => {
        const changed = await (await client()).schedules[name](arg(0));
        await out.answer(changed, `schedule ${changed.name} is ${changed.state}\n`);
      },
    });
  }
  addCommand(schedule, context, {
    usage: 'trigger <schedule-id>',
    summary: 'start it once now, beside its times',
    run: async ({ arg }, { client, out }) => {
      const triggered = await (await client()).schedules.trigger(arg(0));
      await out.answer(triggered, `${triggered.run_id}\n`);
    },
  });
  addCommand(schedule, context, {
    usage: 'update <schedule-id> <file>',
    summary: 'put what a file says in the place of a schedule',
    details: 'The file is JSON as `schedule create --file` takes it; - is standard input.',
    options: [option('--if-version <version>', 'only when this is the version that is there')],
    run: async ({ arg, options }, { client, io, out }) => {
      const ifMatch = options.whole('ifVersion', 1);
      const body = await scheduleIn(io, arg(1));
      const changed = await (await client()).schedules.replace(arg(0), body, present({ ifMatch }));
      await out.answer(
        changed,
        `${changed.schedule_id} ${changed.state}, next ${timeCell(changed.next_fire_at) ?? 'never'}\n`,
      );
    },
  });
  addCommand(schedule, context, {
    usage: 'backfill <schedule-id>',
    summary: 'start it for times that have passed',
    options: [
      option(
        '--from <when>',
        'first moment (required): an instant, a day, or a span ago',
      ).makeOptionMandatory(),
      option('--to <when>', 'first moment after the range (required)').makeOptionMandatory(),
      option('--concurrency <count>', 'runs at the same time (default: what the API says)'),
      option('--dry-run', 'only say how many there are'),
      YES,
    ],
    examples: [
      'schedule backfill 01912345-6789-7abc-8def-0123456789ab --from 2026-01-01 --to 2026-02-01 --dry-run',
    ],
    run: backfill,
  });
  addCommand(schedule, context, {
    usage: 'delete <schedule-id>',
    summary: 'end a schedule for good; the runs it has started stay',
    options: [YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Delete schedule ${arg(0)}?`, options.flag('yes')))) return;
      const deleted = await (await client()).schedules.delete(arg(0));
      await out.answer(deleted ?? null, `schedule ${arg(0)} is deleted\n`);
    },
  });
}
