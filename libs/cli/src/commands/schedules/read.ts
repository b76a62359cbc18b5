/** `spine schedule list`, `show`, `runs`, `preview` and `health`. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { Schedule, ScheduleRun } from '@spine/sdk';
import { durationCell, stateStyle, timeCell } from '../../frame/cells.ts';
import { addCommand, choice, option } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { EXIT } from '../../frame/exit-codes.ts';
import { addList } from '../../frame/list.ts';
import { TARGETS, WHEN_OPTIONS, whenOf } from './request.ts';

const STATES = ['active', 'paused', 'completed'] as const;
const RUN_STATUSES = ['FIRED', 'SKIPPED', 'MISSED'] as const;

function whenCell(schedule: Schedule): string {
  const { schedule_type, cron_expression, interval_seconds, run_at, calendar_rule, timezone } = schedule;
  switch (schedule_type) {
    case 'cron':
      return `${cron_expression ?? ''} ${timezone}`;
    case 'interval':
      return `every ${durationCell((interval_seconds ?? 0) * 1_000)}`;
    case 'date':
      return `once ${timeCell(run_at)}`;
    case 'calendar':
      return calendar_rule === null
        ? 'calendar'
        : `${calendar_rule.exchange} ${calendar_rule.period} ${calendar_rule.nth} at ${calendar_rule.at}`;
  }
}

export function registerScheduleReads(schedule: Command, context: CliContext): void {
  addList<Schedule>(schedule, context, {
    usage: 'list',
    summary: 'list schedules',
    options: [
      choice('--state <state>', 'in this state', STATES),
      choice('--target-kind <kind>', 'that start this kind', TARGETS),
      option('--target-name <name>', 'that start this handler'),
    ],
    columns: [
      { head: 'ID', cell: ({ schedule_id }) => schedule_id },
      { head: 'NAME', cell: ({ name }) => name },
      { head: 'STATE', cell: ({ state }) => state, style: ({ state }) => stateStyle(state) },
      { head: 'STARTS', cell: ({ target_type, target_name }) => `${target_type}:${target_name}` },
      { head: 'WHEN', cell: whenCell },
      { head: 'NEXT', cell: ({ next_fire_at }) => timeCell(next_fire_at) },
      { head: 'LAST', cell: ({ last_fire_at }) => timeCell(last_fire_at) },
    ],
    none: 'no schedules',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.schedules.list({
        ...present({
          state: options.choice('state', STATES),
          target_type: options.choice('targetKind', TARGETS),
          target_name: options.text('targetName'),
        }),
        limit,
      }),
  });
  addCommand(schedule, context, {
    usage: 'show <schedule-id>',
    summary: 'show one schedule',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).schedules.get(arg(0))),
  });
  addList<ScheduleRun>(schedule, context, {
    usage: 'runs <schedule-id>',
    summary: 'list what a schedule has started and left out, newest first',
    options: [choice('--status <status>', 'what became of the time', RUN_STATUSES)],
    columns: [
      { head: 'DUE', cell: ({ fire_at }) => timeCell(fire_at) },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'WHY', cell: ({ skip_reason, origin }) => skip_reason ?? origin },
      { head: 'RUN', cell: ({ run_id }) => run_id },
      {
        head: 'RUN STATUS',
        cell: ({ run_status }) => run_status,
        style: ({ run_status }) => stateStyle(run_status),
      },
      { head: 'LATE', cell: ({ late_ms }) => durationCell(late_ms), align: 'right' },
    ],
    none: 'not due yet',
    cursor: true,
    ask: (client, { arg, options }, position) =>
      client.schedules.runs(arg(0), {
        ...present({ status: options.choice('status', RUN_STATUSES) }),
        ...position,
      }),
  });
  addCommand(schedule, context, {
    usage: 'preview',
    summary: 'show the next times of an expression, without a schedule',
    options: [...WHEN_OPTIONS, option('--count <count>', 'how many (default: what the API says)')],
    examples: ['schedule preview --cron "0 6 * * 1-5" --timezone America/New_York --count 10'],
    run: async ({ options }, { client, out }) => {
      const body = { ...whenOf(options, Date.now()), ...present({ count: options.whole('count', 1) }) };
      const preview = await (await client()).schedules.preview(body);
      await out.answer(preview, () => preview.fire_times.map((each) => `${each}\n`).join(''));
    },
  });
  addCommand(schedule, context, {
    usage: 'health',
    summary: 'say whether schedules fire in time; exit code 1 when they do not',
    run: async (_call, { client, out }) => {
      const health = await (await client()).health.scheduler();
      await out.fields(health);
      return health.status === 'ok' ? EXIT.ok : EXIT.failed;
    },
  });
}
