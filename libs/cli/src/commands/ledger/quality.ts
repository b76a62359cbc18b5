import { present } from '@spine/core';
import type { QualityResult } from '@spine/sdk';
import { keyCell, stateStyle, timeCell } from '../../frame/cells.ts';
import { addGroup, choice, option } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { addList } from '../../frame/list.ts';
import { DOMAIN, PARTITION, partitionFilter, RUN, TIMES, timesOf } from './filters.ts';

const STATUSES = ['PASS', 'WARN', 'FAIL'] as const satisfies readonly QualityResult['status'][];

export const registerQuality: Register = (program, context) => {
  const quality = addGroup(program, 'quality', 'results of quality checks');
  addList<QualityResult>(quality, context, {
    usage: 'list',
    summary: 'list results of quality checks, newest first',
    options: [
      DOMAIN,
      choice('--status <status>', 'results with this verdict', STATUSES),
      option('--check <name>', 'results of this check'),
      PARTITION,
      RUN,
      ...TIMES,
    ],
    examples: ['quality list --status FAIL --since 7d'],
    columns: [
      { head: 'AT', cell: ({ created_at }) => timeCell(created_at) },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'CHECK', cell: ({ check_name }) => check_name },
      { head: 'ACTUAL', cell: ({ actual_value }) => actual_value, align: 'right' },
      { head: 'EXPECTED', cell: ({ expected_value }) => expected_value, align: 'right' },
      { head: 'MESSAGE', cell: ({ message }) => message },
    ],
    none: 'no results',
    cursor: true,
    ask: (client, { options }, position) =>
      client.ledger.quality({
        ...present({
          domain: options.text('domain'),
          status: options.choice('status', STATUSES),
          check_name: options.text('check'),
          run_id: options.text('run'),
        }),
        ...partitionFilter(options),
        ...timesOf(options),
        ...position,
      }),
  });
};
