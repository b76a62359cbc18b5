/** `spine run events` and `spine run logs`, also while they come. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import { isEnded } from '@spine/sdk';
import type { RunEvent, RunLog } from '@spine/sdk';
import { stateStyle } from '../../frame/cells.ts';
import { addCommand, choice, option, repeatable } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { jsonText, oneLine } from '../../frame/printable.ts';
import type { Paint } from '../../frame/table.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { followLogs } from './follow-logs.ts';
import { KINDS, LEVELS } from './vocabulary.ts';

function dataText(data: unknown): string {
  if (data === null || data === undefined) return '';
  return typeof data === 'object' && Object.keys(data).length === 0 ? '' : ` ${jsonText(data)}`;
}

export function eventLine(
  { timestamp, event_type, data, run_id }: RunEvent,
  paint: Paint,
  ofMany: boolean,
): string {
  const run = ofMany ? `${run_id} ` : '';
  return `${paint('dim', timestamp)} ${run}${paint('bold', oneLine(event_type))}${dataText(data)}\n`;
}

export function logLine({ timestamp, level, message, fields, attempt }: RunLog, paint: Paint): string {
  const shown = level.toUpperCase().padEnd(5);
  const style = stateStyle(level === 'warn' ? 'warning' : level);
  const of = attempt > 1 ? ` #${attempt}` : '';
  return `${paint('dim', timestamp)} ${style === undefined ? shown : paint(style, shown)}${of} ${oneLine(message)}${dataText(fields)}\n`;
}

async function events({ args: [runId], options }: Call, context: CliContext): Promise<void> {
  const { out } = context;
  const client = await context.client();
  const types = options.texts('type');
  if (options.flag('follow')) {
    const query = present({
      run_id: runId,
      until_terminal: runId === undefined ? undefined : true,
      types,
      kind: options.choice('kind', KINDS),
      name: options.text('name'),
      lane: options.text('lane'),
    });
    for await (const event of client.events.stream(query, { signal: context.signal })) {
      await out.item(event, () => eventLine(event, out.paint, runId === undefined));
    }
    return;
  }
  if (runId === undefined) throw new UsageError('give a run id, or --follow for the events of every run');
  const all = await client.runs.events(runId, { limit: 1_000 }).toArray();
  const found = types === undefined ? all : all.filter(({ event_type }) => types.includes(event_type));
  await out.answer(found, () => found.map((each) => eventLine(each, out.paint, false)).join(''));
}

async function logs({ arg, options }: Call, context: CliContext): Promise<void> {
  const { out } = context;
  const client = await context.client();
  const runId = arg(0);
  const query = present({ level: options.choice('level', LEVELS), attempt: options.whole('attempt', 1) });
  if (!options.flag('follow')) {
    const found = await client.runs.logs(runId, { ...query, limit: 1_000 }).toArray();
    await out.answer(found, () => found.map((each) => logLine(each, out.paint)).join(''));
    return;
  }
  const { signal } = context;
  const source = {
    page: (cursor: string | null) =>
      client.runs
        .logs(runId, { ...query, limit: 1_000, ...(cursor === null ? {} : { cursor }) }, { signal })
        .first(),
    hasEnded: async () => isEnded(await client.runs.get(runId, { signal })),
    events: (signal: AbortSignal) =>
      client.events.stream({ run_id: runId, until_terminal: true }, { signal }),
  };
  for await (const line of followLogs(source, signal)) {
    await out.item(line, () => logLine(line, out.paint));
  }
}

export function registerFollowing(run: Command, context: CliContext): void {
  addCommand(run, context, {
    usage: 'events [run-id]',
    summary: 'show what has happened to a run, and with --follow what happens',
    details:
      'With --follow and --json each event is one line of JSON. Without a run id every run is followed from now on.',
    options: [
      option('-f, --follow', 'go on until the run ends'),
      repeatable('--type <type>', 'events of this type; may be repeated'),
      choice('--kind <kind>', 'with --follow: of runs of this kind', KINDS),
      option('--name <name>', 'with --follow: of runs of this handler'),
      option('--lane <lane>', 'with --follow: of runs of this lane'),
    ],
    examples: [
      'run events 01912345-6789-7abc-8def-0123456789ab --follow',
      'run events --follow --type dead_lettered --json',
    ],
    run: events,
  });
  addCommand(run, context, {
    usage: 'logs <run-id>',
    summary: "show what a run's handler has logged, and with --follow what it logs",
    details: 'With --follow and --json each line is one line of JSON.',
    options: [
      option('-f, --follow', 'go on until the run ends'),
      choice('--level <level>', 'lines at least this severe', LEVELS),
      option('--attempt <number>', 'lines of this attempt'),
    ],
    examples: ['run logs 01912345-6789-7abc-8def-0123456789ab --follow --level warn'],
    run: logs,
  });
}
