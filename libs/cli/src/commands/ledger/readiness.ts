import { present } from '@spine/core';
import type { Readiness } from '@spine/sdk';
import { keyCell, timeCell } from '../../frame/cells.ts';
import { addCommand, addGroup, option } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { EXIT } from '../../frame/exit-codes.ts';
import { partitionKeyOf } from '../../frame/input.ts';
import { addList } from '../../frame/list.ts';
import type { Column } from '../../frame/table.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { DOMAIN, PARTITION, partitionFilter } from './filters.ts';

const COLUMNS: readonly Column<Readiness>[] = [
  { head: 'DOMAIN', cell: ({ domain }) => domain },
  { head: 'WORKFLOW', cell: ({ workflow }) => workflow },
  { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
  { head: 'FOR', cell: ({ ready_for }) => ready_for },
  {
    head: 'READY',
    cell: ({ is_ready }) => (is_ready ? 'yes' : 'no'),
    style: ({ is_ready }) => (is_ready ? 'green' : 'yellow'),
  },
  { head: 'EVALUATED', cell: ({ evaluated_at }) => timeCell(evaluated_at) },
  { head: 'BLOCKED BY', cell: ({ blocking_reasons }) => blocking_reasons.map(({ code }) => code).join(',') },
];

export const registerReadiness: Register = (program, context) => {
  const readiness = addGroup(program, 'readiness', 'whether data may be used, and for what');
  addList<Readiness>(readiness, context, {
    usage: 'list',
    summary: 'list verdicts',
    options: [
      DOMAIN,
      PARTITION,
      option('--for <purpose>', 'verdicts for this use'),
      option('--ready', 'those that are ready'),
      option('--blocked', 'those that are not'),
    ],
    columns: COLUMNS,
    none: 'no verdicts',
    cursor: true,
    ask: (client, { options }, position) => {
      const [ready, blocked] = [options.flag('ready'), options.flag('blocked')];
      if (ready && blocked) throw new UsageError('--ready and --blocked exclude each other');
      return client.ledger.readiness.list({
        ...present({
          domain: options.text('domain'),
          ready_for: options.text('for'),
          is_ready: ready || blocked ? ready : undefined,
        }),
        ...partitionFilter(options),
        ...position,
      });
    },
  });
  addCommand(readiness, context, {
    usage: 'certify <workflow>',
    summary: 'judge now whether a partition is ready; exit code 1 when it is not',
    options: [
      option('--domain <domain>', 'of this domain (required)').makeOptionMandatory(),
      option('--for <purpose>', 'ready for what (required)').makeOptionMandatory(),
      PARTITION,
    ],
    examples: [
      'readiness certify weekly --domain finra.otc_transparency --for reporting --partition week_ending=2025-12-12',
    ],
    run: async ({ arg, options }, { client, out }) => {
      const verdict = await (
        await client()
      ).ledger.readiness.certify({
        domain: options.required('domain'),
        workflow: arg(0),
        ready_for: options.required('for'),
        partition_key: partitionKeyOf(options.texts('partition')) ?? {},
      });
      await out.answer(verdict, () =>
        verdict.is_ready
          ? `ready for ${verdict.ready_for}\n`
          : `not ready for ${verdict.ready_for}\n${verdict.blocking_reasons.map(({ code, message }) => `  ${code}: ${message}\n`).join('')}`,
      );
      return verdict.is_ready ? EXIT.ok : EXIT.failed;
    },
  });
};
