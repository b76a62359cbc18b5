import type { Command } from 'commander';
import { present } from '@spine/core';
import type { Run, RunExplanation } from '@spine/sdk';
import { durationCell, stateStyle, timeCell } from '../../frame/cells.ts';
import { addCommand, repeatable } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { addList } from '../../frame/list.ts';
import { fieldsText } from '../../frame/table.ts';
import type { Column } from '../../frame/table.ts';
import { FILTER_OPTIONS, filterOf, STATUSES } from './vocabulary.ts';

export const RUN_COLUMNS: readonly Column<Run>[] = [
  { head: 'RUN', cell: ({ run_id }) => run_id },
  { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
  { head: 'KIND', cell: ({ kind }) => kind },
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'LANE', cell: ({ lane }) => lane },
  { head: 'ATTEMPT', cell: ({ attempt, max_attempts }) => `${attempt}/${max_attempts}` },
  { head: 'CREATED', cell: ({ created_at }) => timeCell(created_at) },
  { head: 'TOOK', cell: ({ duration_ms }) => durationCell(duration_ms), align: 'right' },
  { head: 'ERROR', cell: ({ error }) => error?.message ?? '' },
];

/** What a person wants to see of one run: what is not there is left out. */
export function runFields(run: Run): Record<string, unknown> {
  const { error, lease, omitted } = run;
  const fields = {
    run: run.run_id,
    status: run.status,
    handler: `${run.kind}:${run.name}`,
    lane: run.lane,
    priority: run.priority,
    attempt: `${run.attempt} of ${run.max_attempts}`,
    crashes: run.crash_count === 0 ? null : run.crash_count,
    created: timeCell(run.created_at),
    available: run.status === 'pending' ? timeCell(run.available_at) : null,
    started: timeCell(run.started_at),
    completed: timeCell(run.completed_at),
    took: durationCell(run.duration_ms),
    worker: lease?.worker_id ?? null,
    parent: run.parent_run_id,
    'retry of': run.retry_of_run_id,
    correlation: run.correlation_id,
    'submitted by': run.submitted_by,
    namespace: run.namespace,
    tags: run.tags.length === 0 ? null : run.tags,
    params: omitted.includes('params') ? 'too large to show here' : run.params,
    result: omitted.includes('result') ? 'too large to show here' : run.result,
    error: error === null ? null : `${error.type} (${error.category}): ${error.message}`,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function explained(explanation: RunExplanation, { out }: CliContext): string {
  const { run_id, status, waiting, reasons } = explanation;
  return (
    fieldsText({ run: run_id, status, waiting: waiting ? 'yes' : 'no' }, out.paint) +
    out.tableText(
      [
        { head: 'REASON', cell: ({ code }) => code },
        { head: 'MEANS', cell: ({ message }) => message, max: 200 },
        { head: 'UNTIL', cell: ({ until }) => timeCell(until) },
      ],
      reasons,
      'nothing keeps it',
    )
  );
}

export function registerReads(run: Command, context: CliContext): void {
  addList<Run>(run, context, {
    usage: 'list',
    summary: 'list runs, newest first',
    options: [
      repeatable('--status <status>', `runs in this state: ${STATUSES.join(', ')}; may be repeated`),
      ...FILTER_OPTIONS,
    ],
    examples: [
      'run list --status failed --status dead_lettered --since 24h',
      'run list --name finra.otc_transparency.ingest_week --watch',
    ],
    columns: RUN_COLUMNS,
    none: 'no runs',
    cursor: true,
    ask: (client, { options }, position) =>
      client.runs.list({
        ...filterOf(options),
        ...present({ status: options.choices('status', STATUSES) }),
        ...position,
      }),
  });
  addCommand(run, context, {
    usage: 'get <run-id>',
    summary: 'show one run with its params and result',
    examples: ['run get 01912345-6789-7abc-8def-0123456789ab --json'],
    run: async ({ arg }, { out, client }) => {
      const found = await (await client()).runs.get(arg(0));
      await out.fields(found, runFields(found));
    },
  });
  addCommand(run, context, {
    usage: 'explain <run-id>',
    summary: 'say why a run waits, or what it does',
    run: async ({ arg }, { out, client }) => {
      const explanation = await (await client()).runs.explain(arg(0));
      await out.answer(explanation, () => explained(explanation, context));
    },
  });
}
