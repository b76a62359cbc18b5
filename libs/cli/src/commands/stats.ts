/** `spine stats`: how it goes, on one page. */
import type { Dashboard } from '@spine/sdk';
import { countCell, durationCell, shareCell, timeCell } from '../frame/cells.ts';
import { addCommand } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { intervalOf, WATCH_OPTIONS } from '../frame/list.ts';
import type { Output } from '../frame/output.ts';
import { fieldsText } from '../frame/table.ts';
import { watch } from '../frame/watch.ts';

function dashboardText(
  { health, runs, failing_handlers, queues, workers, dead_letters }: Dashboard,
  out: Output,
): string {
  const states = Object.entries(runs.by_status)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
  const { p50, p95, p99 } = runs.duration_ms;
  const summary = fieldsText(
    {
      health: `${health.grade}, ${health.score} of 100`,
      ...(health.reasons.length === 0
        ? {}
        : { because: health.reasons.map(({ message }) => message).join('\n') }),
      [`runs in ${runs.window.hours} h`]: `${countCell(runs.runs, runs.window.is_capped)}${states === '' ? '' : `: ${states}`}`,
      succeeded: shareCell(runs.success_rate),
      took:
        p50 === null
          ? null
          : `half below ${durationCell(p50)}, 95 % below ${durationCell(p95)}, 99 % below ${durationCell(p99)}`,
      workers: `${workers.live} live, ${workers.draining} draining; ${workers.running} of ${workers.slots} slots in use`,
      'dead letters': `${dead_letters.pending} pending${dead_letters.oldest_pending_at === null ? '' : `, oldest of ${timeCell(dead_letters.oldest_pending_at)}`}`,
    },
    out.paint,
  );
  const lanes = out.tableText(
    [
      { head: 'LANE', cell: ({ lane }) => lane },
      {
        head: 'WAITING',
        cell: ({ waiting, waiting_is_capped }) => countCell(waiting, waiting_is_capped),
        align: 'right',
      },
      { head: 'RUNNING', cell: ({ running }) => running, align: 'right' },
      {
        head: 'OLDEST DUE',
        cell: ({ oldest_due_age_ms }) => durationCell(oldest_due_age_ms),
        align: 'right',
      },
    ],
    queues,
    'no lanes',
  );
  if (failing_handlers.length === 0) return `${summary}\n${lanes}`;
  const failing = out.tableText(
    [
      { head: 'FAILING', cell: ({ kind, name }) => `${kind}:${name}` },
      { head: 'RUNS', cell: ({ runs }) => runs, align: 'right' },
      { head: 'SUCCEEDED', cell: ({ success_rate }) => shareCell(success_rate), align: 'right' },
    ],
    failing_handlers,
    '',
  );
  return `${summary}\n${lanes}\n${failing}`;
}

export const register: Register = (program, context) => {
  addCommand(program, context, {
    usage: 'stats',
    summary: 'health, runs, lanes, workers and dead letters on one page',
    options: WATCH_OPTIONS,
    examples: ['stats --watch'],
    run: async ({ options }, context) => {
      const { out } = context;
      const client = await context.client();
      if (options.flag('watch')) {
        await watch(
          out,
          async (signal) => {
            const data = await client.stats.dashboard({ signal });
            return { data, human: () => dashboardText(data, out) };
          },
          { intervalMs: intervalOf(options), signal: context.signal },
        );
      }
      const dashboard = await client.stats.dashboard();
      await out.answer(dashboard, () => dashboardText(dashboard, out));
    },
  });
};
