import { present } from '@spine/core';
import type { Anomaly } from '@spine/sdk';
import { keyCell, stateStyle, timeCell } from '../../frame/cells.ts';
import { addCommand, addGroup, choice, option } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { addList } from '../../frame/list.ts';
import { DOMAIN, PARTITION, partitionFilter, RUN, STAGE, TIMES, timesOf } from './filters.ts';

const SEVERITIES = [
  'DEBUG',
  'INFO',
  'WARN',
  'ERROR',
  'CRITICAL',
] as const satisfies readonly Anomaly['severity'][];

export const registerAnomalies: Register = (program, context) => {
  const anomalies = addGroup(program, 'anomalies', 'what was not as it should be');
  addList<Anomaly>(anomalies, context, {
    usage: 'list',
    summary: 'list anomalies, newest first; open ones unless asked otherwise',
    options: [
      DOMAIN,
      STAGE,
      choice('--severity <severity>', 'anomalies of this severity', SEVERITIES),
      PARTITION,
      RUN,
      option('--resolved', 'those that were resolved'),
      option('--any', 'open or not'),
      ...TIMES,
    ],
    examples: ['anomalies list --severity CRITICAL'],
    columns: [
      { head: 'ID', cell: ({ anomaly_id }) => anomaly_id },
      { head: 'SEVERITY', cell: ({ severity }) => severity, style: ({ severity }) => stateStyle(severity) },
      { head: 'AT', cell: ({ created_at }) => timeCell(created_at) },
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'CATEGORY', cell: ({ category }) => category },
      { head: 'STATE', cell: ({ resolved_at }) => (resolved_at === null ? 'open' : 'resolved') },
      { head: 'MESSAGE', cell: ({ message }) => message },
    ],
    none: 'no anomalies',
    cursor: true,
    ask: (client, { options }, position) =>
      client.ledger.anomalies.list({
        ...present({
          domain: options.text('domain'),
          stage: options.text('stage'),
          severity: options.choice('severity', SEVERITIES),
          run_id: options.text('run'),
          resolved: options.flag('any') ? undefined : options.flag('resolved'),
        }),
        ...partitionFilter(options),
        ...timesOf(options),
        ...position,
      }),
  });
  addCommand(anomalies, context, {
    usage: 'show <anomaly-id>',
    summary: 'show one anomaly',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).ledger.anomalies.get(arg(0))),
  });
  addCommand(anomalies, context, {
    usage: 'resolve <anomaly-id>',
    summary: 'close an anomaly; it is never deleted',
    options: [option('--note <text>', 'what was done about it')],
    run: async ({ arg, options }, { client, out }) => {
      const body = present({ note: options.text('note') });
      const resolved = await (await client()).ledger.anomalies.resolve(arg(0), body);
      await out.answer(resolved, `anomaly ${resolved.anomaly_id} is resolved\n`);
    },
  });
};
