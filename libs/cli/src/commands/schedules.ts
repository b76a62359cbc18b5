/** `spine schedule`: what runs by itself, and when. */
import { present } from '@spine/core';
import type { Schedule, SchedulePreviewRequest, ScheduleRequest, ScheduleRun } from '@spine/sdk';
import { durationCell, stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, choice, option, YES } from '../frame/command.ts';
import type { Call, Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { parseJsonObject, readInput, readParams } from '../frame/input.ts';
import type { JsonObject } from '../frame/input.ts';
import { addList } from '../frame/list.ts';
import { laterInstant, oneOf } from '../frame/options.ts';
import type { Options } from '../frame/options.ts';
import { UsageError } from '../frame/usage-error.ts';
import { PARAMS_HELP, parseHandler } from './runs/submit.ts';
import { PRIORITIES } from './runs/vocabulary.ts';

const TARGETS = [
  'task',
  'operation',
  'workflow',
] as const satisfies readonly ScheduleRequest['target_type'][];
const STATES = ['active', 'paused', 'completed'] as const;
const MISFIRE = ['skip', 'fire_once', 'catch_up'] as const;
const OVERLAP = ['allow', 'skip', 'queue', 'cancel_existing'] as const;
const RUN_STATUSES = ['FIRED', 'SKIPPED', 'MISSED'] as const;

const WHEN_OPTIONS = [
  option('--cron <expression>', 'by a cron expression, such as "0 6 * * 1-5"'),
  option('--every <span>', 'every so long, such as 15m'),
  option('--at <when>', 'once: an instant, or a span from now such as 10m'),
  option('--timezone <zone>', 'of the cron expression (default: UTC)'),
];

type When = Pick<
  SchedulePreviewRequest,
  'schedule_type' | 'cron_expression' | 'interval_seconds' | 'run_at' | 'timezone'
>;

/** @throws UsageError unless exactly one of the three is given */
export function whenOf(options: Options, now: number): When {
  const [cron, every, at] = [options.text('cron'), options.span('every'), options.text('at')];
  const timezone = present({ timezone: options.text('timezone') });
  if ([cron, every, at].filter((each) => each !== undefined).length !== 1) {
    throw new UsageError('give one of --cron, --every and --at');
  }
  if (cron !== undefined) return { schedule_type: 'cron', cron_expression: cron, ...timezone };
  if (every !== undefined) return { schedule_type: 'interval', interval_seconds: every / 1_000, ...timezone };
  return { schedule_type: 'date', run_at: laterInstant('--at', at ?? '', now), ...timezone };
}

/** The rest of a request is the API's to judge. */
function isRequest(value: JsonObject): value is JsonObject & ScheduleRequest {
  return typeof value['name'] === 'string' && typeof value['schedule_type'] === 'string';
}

async function requestOf({ options, args }: Call, { io }: CliContext): Promise<ScheduleRequest> {
  const file = options.text('file');
  if (file !== undefined) {
    const body = parseJsonObject(await readInput(io, file), file);
    if (isRequest(body)) return body;
    throw new UsageError(`${file} must be a schedule with name and schedule_type`);
  }
  const [name, handler, ...more] = args;
  if (name === undefined || handler === undefined) {
    throw new UsageError(
      'give a name and a handler such as operation:finra.otc_transparency.ingest_week, or --file',
    );
  }
  const target = parseHandler(handler);
  return {
    name,
    target_type: oneOf('the kind of a schedule', target.kind, TARGETS),
    target_name: target.name,
    ...whenOf(options, Date.now()),
    ...present({
      params: await readParams(io, more),
      description: options.text('description'),
      lane: options.text('lane'),
      priority: options.choice('priority', PRIORITIES),
      misfire_policy: options.choice('misfire', MISFIRE),
      overlap_policy: options.choice('overlap', OVERLAP),
      paused: options.flag('paused') ? true : undefined,
    }),
  };
}

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

export const register: Register = (program, context) => {
  const schedule = addGroup(program, 'schedule', 'what runs by itself, and when');
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
      const made = await (await context.client()).schedules.create(await requestOf(call, context));
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
    usage: 'delete <schedule-id>',
    summary: 'end a schedule for good; the runs it has started stay',
    options: [YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Delete schedule ${arg(0)}?`, options.flag('yes')))) return;
      const deleted = await (await client()).schedules.delete(arg(0));
      await out.answer(deleted ?? null, `schedule ${arg(0)} is deleted\n`);
    },
  });
};
