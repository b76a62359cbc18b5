import { present } from '@spine/core';
import type { ExpectedSchedule, ExpectedScheduleRequest } from '@spine/sdk';
import { keyCell } from '../../frame/cells.ts';
import { addCommand, addGroup, option, YES } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { readRequest } from '../../frame/input.ts';
import { addList } from '../../frame/list.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { DOMAIN } from './filters.ts';

export const registerExpected: Register = (program, context) => {
  const expected = addGroup(program, 'expected', 'which partitions should exist, and when');
  addList<ExpectedSchedule>(expected, context, {
    usage: 'list',
    summary: 'list expected schedules',
    options: [
      DOMAIN,
      option('--active', 'those that are looked after'),
      option('--inactive', 'those that are not'),
    ],
    columns: [
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'WORKFLOW', cell: ({ workflow }) => workflow },
      { head: 'CADENCE', cell: ({ cadence }) => cadence },
      { head: 'PARTITION', cell: ({ partition_template }) => keyCell(partition_template) },
      { head: 'STAGES', cell: ({ required_stages }) => required_stages.join(',') },
      { head: 'DUE AFTER', cell: ({ expected_delay_hours }) => `${expected_delay_hours} h`, align: 'right' },
      {
        head: 'ACTIVE',
        cell: ({ active }) => (active ? 'yes' : 'no'),
        style: ({ active }) => (active ? 'green' : 'dim'),
      },
      { head: 'DESCRIPTION', cell: ({ description }) => description ?? '' },
    ],
    none: 'no expected schedules',
    cursor: false,
    ask: (client, { options }, { limit }) => {
      const [active, inactive] = [options.flag('active'), options.flag('inactive')];
      if (active && inactive) throw new UsageError('--active and --inactive exclude each other');
      return client.ledger.expectedSchedules.list({
        ...present({ domain: options.text('domain'), active: active || inactive ? active : undefined }),
        limit,
      });
    },
  });
  addCommand(expected, context, {
    usage: 'show <domain> <workflow>',
    summary: 'show one expected schedule',
    run: async ({ arg }, { client, out }) =>
      out.fields(await (await client()).ledger.expectedSchedules.get(arg(0), arg(1))),
  });
  addCommand(expected, context, {
    usage: 'set <domain> <workflow> <file>',
    summary: 'say what should exist and when, as a file says; what was said before gives way',
    details:
      'The file is JSON as the API takes it: {"cadence", "partition_template", "required_stages", "expected_delay_hours", …}; - is standard input.',
    examples: ['expected set finra.otc_transparency weekly weekly.expected.json'],
    run: async ({ arg }, { client, io, out }) => {
      const body = await readRequest<ExpectedScheduleRequest>(io, arg(2), 'an expected schedule', [
        'cadence',
        'partition_template',
        'required_stages',
        'expected_delay_hours',
      ]);
      const stored = await (await client()).ledger.expectedSchedules.put(arg(0), arg(1), body);
      await out.answer(stored, `${stored.workflow} of ${stored.domain} is expected ${stored.cadence}\n`);
    },
  });
  addCommand(expected, context, {
    usage: 'delete <domain> <workflow>',
    summary: 'expect it no more; what has arrived stays',
    options: [YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Delete what is expected of ${arg(1)} of ${arg(0)}?`, options.flag('yes')))) return;
      const deleted = await (await client()).ledger.expectedSchedules.delete(arg(0), arg(1));
      await out.answer(deleted, `${deleted.workflow} of ${deleted.domain} is expected no more\n`);
    },
  });
};
