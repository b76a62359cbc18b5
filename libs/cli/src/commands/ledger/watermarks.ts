import { present } from '@spine/core';
import type { Gap, Watermark } from '@spine/sdk';
import { keyCell, timeCell } from '../../frame/cells.ts';
import { addGroup, choice, option } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { addList } from '../../frame/list.ts';
import { DOMAIN, SOURCE, STAGE } from './filters.ts';

export const CADENCES = ['daily', 'weekdays', 'weekly', 'monthly', 'quarterly'] as const;

export const registerWatermarks: Register = (program, context) => {
  const watermarks = addGroup(program, 'watermarks', 'how far the data goes');
  addList<Watermark>(watermarks, context, {
    usage: 'list',
    summary: 'list watermarks',
    options: [DOMAIN, SOURCE],
    columns: [
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'SOURCE', cell: ({ source }) => source },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'HIGH WATER', cell: ({ high_water }) => high_water },
      { head: 'UPDATED', cell: ({ updated_at }) => timeCell(updated_at) },
      { head: 'RUN', cell: ({ run_id }) => run_id },
    ],
    none: 'no watermarks',
    cursor: true,
    ask: (client, { options }, position) =>
      client.ledger.watermarks({
        ...present({ domain: options.text('domain'), source: options.text('source') }),
        ...position,
      }),
  });
  addList<Gap>(watermarks, context, {
    usage: 'gaps',
    summary: 'list partitions that should be there and are not',
    options: [
      option('--domain <domain>', 'of this domain (required)').makeOptionMandatory(),
      option('--from <day>', 'from this day on (required)').makeOptionMandatory(),
      option('--to <day>', 'to this day (required)').makeOptionMandatory(),
      option('--workflow <name>', 'as the expected schedule of this workflow says'),
      choice('--cadence <cadence>', 'one partition for each', CADENCES),
      option(
        '--template <json>',
        'partition key with its period as {date}, {week_ending}, {month} or {quarter}',
      ),
      SOURCE,
      STAGE,
    ],
    examples: [
      'watermarks gaps --domain finra.otc_transparency --stage INGESTED --cadence weekly --template \'{"week_ending": "{week_ending}", "tier": "OTC"}\' --from 2025-12-01 --to 2025-12-31',
    ],
    columns: [
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'PERIOD END', cell: ({ period_end }) => period_end },
      { head: 'EXPECTED', cell: ({ expected_at }) => timeCell(expected_at) },
      {
        head: 'LATE',
        cell: ({ is_late }) => (is_late ? 'yes' : 'no'),
        style: ({ is_late }) => (is_late ? 'red' : undefined),
      },
    ],
    none: 'no gaps',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.ledger.gaps({
        domain: options.required('domain'),
        from: options.required('from'),
        to: options.required('to'),
        ...present({
          workflow: options.text('workflow'),
          cadence: options.choice('cadence', CADENCES),
          template: options.text('template'),
          source: options.text('source'),
          stage: options.text('stage'),
        }),
        limit,
      }),
  });
};
