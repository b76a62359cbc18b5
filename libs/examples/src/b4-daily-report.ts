/**
 * B4: a report of the day by the template `scheduled_batch`: run, validate, tell.
 *
 * The profit and loss of a day is the change of the closing prices times the shares held. Who is told is whoever listens
 * to the events of the run (`GET /runs/{id}/events`, the event stream, a trigger): no mail is sent here.
 *
 * {@link installDailyReport} stores the cron schedule, paused: nothing fires before somebody resumes it.
 */
import { z } from 'zod';
import { parseDecimal, sumDecimals } from '@spine/core';
import { TemplateRegistry } from '@spine/orchestration';
import type { ScheduleInput, ScheduleManager } from '@spine/scheduling';
import { SAFE, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { decimalText, plainDate, ticker } from './fields.ts';
import { Closes, PORTFOLIO, positions } from './portfolio.ts';
import type { Position } from './portfolio.ts';

const NAME = 'examples.b4_daily_report';
const TITLE = 'Scheduled Daily Report';

const reportParams = z.strictObject({ report_date: plainDate, positions: positions.optional() });
const reportLine = z.strictObject({ ticker, shares: z.int(), close: decimalText, pnl: decimalText });
const report = z.strictObject({
  report_date: z.iso.date(),
  compared_with: z.iso.date(),
  lines: z.array(reportLine),
  total_pnl: decimalText,
});
type Report = z.infer<typeof report>;

/** Decimal text throughout; `total_pnl` is the sum of the lines. @throws MissingCloseError */
export function dailyReport(day: string, held: readonly Position[], closes: Closes): Report {
  const previous = closes.before(day);
  const lines = held.map(({ ticker, shares }) => {
    const close = closes.on(day, ticker);
    const change = parseDecimal(close).minus(parseDecimal(closes.on(previous, ticker)));
    return { ticker, shares, close, pnl: change.times(shares).toString() };
  });
  return {
    report_date: day,
    compared_with: previous,
    lines,
    total_pnl: sumDecimals(lines.map(({ pnl }) => parseDecimal(pnl))).toString(),
  };
}

const verdict = z.strictObject({ valid: z.boolean(), message: z.string(), report });

/** A report is valid when it has lines and its total is their sum. */
function validated(given: Report): z.infer<typeof verdict> {
  const sum = sumDecimals(given.lines.map(({ pnl }) => parseDecimal(pnl)));
  const valid = given.lines.length > 0 && sum.eq(parseDecimal(given.total_pnl));
  const message = `${given.lines.length} lines that sum to ${sum.toString()}; the total is ${given.total_pnl}`;
  return { valid, message, report: given };
}

/** At six in the evening of every weekday, in New York. */
export const DAILY_REPORT_SCHEDULE: ScheduleInput = {
  name: NAME,
  description: TITLE,
  scheduleType: 'cron',
  cronExpression: '0 18 * * 1-5',
  timezone: 'America/New_York',
  work: { kind: 'workflow', name: NAME, params: { report_date: '2024-12-31' } },
};

/** Stores the schedule, paused; one that is there is left as it is. @throws ValidationError as `ScheduleManager.create`. */
export async function installDailyReport(manager: ScheduleManager): Promise<'installed' | 'there'> {
  const written = await manager.create(DAILY_REPORT_SCHEDULE, { by: 'examples', paused: true });
  return written.type === 'written' ? 'installed' : 'there';
}

export const b4DailyReport: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'basic',
    description: 'Run, validate, tell by the template scheduled_batch; its cron schedule is stored paused.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { report_date: '2024-12-31' } },
    tags: ['workflow', 'template', 'schedule', 'cron'],
  },
  register: ({ handlers, workflows }) => {
    handlers
      .registerOperation(
        'examples.b4_generate_report',
        {
          description: 'The profit and loss of a day.',
          params: z.strictObject({ params: reportParams }),
          ...SAFE,
        },
        async ({ params }) =>
          dailyReport(params.report_date, params.positions ?? PORTFOLIO, await Closes.read()),
      )
      .registerOperation(
        'examples.b4_validate_report',
        {
          description: 'Whether a report is complete.',
          params: z.strictObject({ params: reportParams, run: report }),
          ...SAFE,
        },
        ({ run }) => validated(run),
      )
      .registerOperation(
        'examples.b4_notify',
        {
          description: 'Tells of a report by an event of the run.',
          params: z.strictObject({ params: reportParams, validate: verdict }),
          ...WORKER_ONLY,
        },
        async ({ validate: { valid, message, report } }, ctx) => {
          if (!valid) return { told: false, reason: message };
          const summary = { report_date: report.report_date, total_pnl: report.total_pnl };
          await ctx.event('daily_report_ready', summary);
          return { told: true, ...summary };
        },
      );
    workflows.registerWorkflow(
      TemplateRegistry.withBuiltIns().instantiate('scheduled_batch', {
        name: NAME,
        domain: 'examples',
        description: TITLE,
        tags: ['example'],
        operation: 'examples.b4_generate_report',
        validator: 'examples.b4_validate_report',
        notifier: 'examples.b4_notify',
      }),
    );
  },
};
