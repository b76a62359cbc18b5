/** What a schedule is asked for with: options, arguments and files as bodies of the API. */
import { present } from '@spine/core';
import type { SchedulePreviewRequest, ScheduleRequest } from '@spine/sdk';
import { option } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { readParams, readRequest } from '../../frame/input.ts';
import type { CliIo } from '../../frame/io.ts';
import { laterInstant, oneOf } from '../../frame/options.ts';
import type { Options } from '../../frame/options.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { parseHandler } from '../runs/submit.ts';
import { PRIORITIES } from '../runs/vocabulary.ts';

export const TARGETS = [
  'task',
  'operation',
  'workflow',
] as const satisfies readonly ScheduleRequest['target_type'][];
export const MISFIRE = ['skip', 'fire_once', 'catch_up'] as const;
export const OVERLAP = ['allow', 'skip', 'queue', 'cancel_existing'] as const;

export const WHEN_OPTIONS = [
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

/** @throws UsageError */
export function scheduleIn(io: CliIo, file: string): Promise<ScheduleRequest> {
  return readRequest<ScheduleRequest>(io, file, 'a schedule', ['name', 'schedule_type']);
}

/** @throws UsageError */
export async function scheduleOf({ options, args }: Call, { io }: CliContext): Promise<ScheduleRequest> {
  const file = options.text('file');
  if (file !== undefined) return scheduleIn(io, file);
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
