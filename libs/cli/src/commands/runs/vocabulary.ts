/** What runs can be asked for by, as the API names it. */
import { present } from '@spine/core';
import type { ListRunsData, RunLog, WorkSpec } from '@spine/sdk';
import { choice, option } from '../../frame/command.ts';
import type { Options } from '../../frame/options.ts';

export const KINDS = ['task', 'operation', 'workflow', 'step'] as const satisfies readonly WorkSpec['kind'][];
export const PRIORITIES = [
  'realtime',
  'high',
  'normal',
  'low',
  'slow',
] as const satisfies readonly NonNullable<WorkSpec['priority']>[];
export const LEVELS = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
] as const satisfies readonly RunLog['level'][];
export const STATUSES = [
  'pending',
  'queued',
  'running',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'timed_out',
  'dead_lettered',
] as const;

/** Of lists and of changes of many; the status stands apart, as each takes other ones. */
export const FILTER_OPTIONS = [
  choice('--kind <kind>', 'runs of this kind', KINDS),
  option('--name <name>', 'runs of this handler'),
  option('--lane <lane>', 'runs of this lane'),
  option('--workflow <name>', 'runs of this workflow'),
  option('--correlation-id <id>', 'runs of this correlation id'),
  option('--batch-id <id>', 'runs of this batch'),
  option('--parent <run-id>', 'runs that this run has started'),
  option('--tag <tag>', 'runs with this tag'),
  option('--since <when>', 'created since: an instant, a day, or a span ago such as 2h'),
  option('--until <when>', 'created before'),
];

/** @throws UsageError */
export function filterOf(options: Options): Omit<NonNullable<ListRunsData['query']>, 'status'> {
  const now = Date.now();
  return present({
    kind: options.choice('kind', KINDS),
    name: options.text('name'),
    lane: options.text('lane'),
    workflow: options.text('workflow'),
    correlation_id: options.text('correlationId'),
    batch_id: options.text('batchId'),
    parent_run_id: options.text('parent'),
    tag: options.text('tag'),
    since: options.instant('since', now),
    until: options.instant('until', now),
  });
}
