import { present } from '@spine/core';
import type { WorkItem } from '@spine/sdk';
import { keyCell, stateStyle, timeCell } from '../../frame/cells.ts';
import { addCommand, addGroup, choice, option } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { addList } from '../../frame/list.ts';
import { DOMAIN, PARTITION, partitionFilter } from './filters.ts';

const STATES = [
  'PENDING',
  'RUNNING',
  'COMPLETE',
  'FAILED',
  'RETRY_WAIT',
  'CANCELLED',
] as const satisfies readonly WorkItem['state'][];

export const registerWorkItems: Register = (program, context) => {
  const workItem = addGroup(program, 'work-item', 'desired work: that a workflow be done for a partition');
  addList<WorkItem>(workItem, context, {
    usage: 'list',
    summary: 'list desired work',
    options: [
      DOMAIN,
      option('--workflow <name>', 'of this workflow'),
      choice('--state <state>', 'in this state', STATES),
      PARTITION,
    ],
    columns: [
      { head: 'ID', cell: ({ work_item_id }) => work_item_id },
      { head: 'STATE', cell: ({ state }) => state, style: ({ state }) => stateStyle(state) },
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'WORKFLOW', cell: ({ workflow }) => workflow },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'DESIRED', cell: ({ desired_at }) => timeCell(desired_at) },
      {
        head: 'ATTEMPTS',
        cell: ({ attempt_count, max_attempts }) => `${attempt_count}/${max_attempts}`,
        align: 'right',
      },
      { head: 'RUN', cell: ({ latest_run_id }) => latest_run_id },
      { head: 'ERROR', cell: ({ last_error }) => last_error ?? '' },
    ],
    none: 'no work items',
    cursor: true,
    ask: (client, { options }, position) =>
      client.ledger.workItems.list({
        ...present({
          domain: options.text('domain'),
          workflow: options.text('workflow'),
          state: options.choice('state', STATES),
        }),
        ...partitionFilter(options),
        ...position,
      }),
  });
  addCommand(workItem, context, {
    usage: 'show <work-item-id>',
    summary: 'show one work item',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).ledger.workItems.get(arg(0))),
  });
};
