import { present } from '@spine/core';
import type { Reject, RejectSummary } from '@spine/sdk';
import { countCell, keyCell, timeCell } from '../../frame/cells.ts';
import { addCommand, addGroup, option, YES } from '../../frame/command.ts';
import type { Call, Register } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { partitionKeyOf } from '../../frame/input.ts';
import { addList } from '../../frame/list.ts';
import type { Column } from '../../frame/table.ts';
import { reviewed } from '../runs/many.ts';
import { DOMAIN, PARTITION, partitionFilter, RUN, STAGE } from './filters.ts';

const REASON = option('--reason <code>', 'with this reason');
const DOMAIN_NEEDED = option('--domain <domain>', 'of this domain (required)').makeOptionMandatory();

const REASON_COLUMNS: readonly Column<RejectSummary['reasons'][number]>[] = [
  { head: 'REASON', cell: ({ reason_code }) => reason_code },
  { head: 'OPEN', cell: ({ open, open_is_capped }) => countCell(open, open_is_capped), align: 'right' },
  { head: 'TOTAL', cell: ({ total, total_is_capped }) => countCell(total, total_is_capped), align: 'right' },
];

async function replay(call: Call, context: CliContext): Promise<void> {
  const { options } = call;
  const { ledger } = await context.client();
  const ids = options.texts('reject');
  const body = {
    domain: options.required('domain'),
    ...present({
      stage: options.text('stage'),
      reason_code: options.text('reason'),
      partition_key: partitionKeyOf(options.texts('partition')),
      reject_ids: ids === undefined ? undefined : [...ids],
      rule_version: options.text('ruleVersion'),
      lane: options.text('lane'),
    }),
  };
  const done = await reviewed(call, context, {
    ask: (dry_run) => ledger.rejects.replay({ ...body, dry_run }),
    question: ({ matched, matched_is_capped }) =>
      matched === 0 ? null : `Judge ${countCell(matched, matched_is_capped)} rejects again?`,
  });
  const count = countCell(done.matched, done.matched_is_capped);
  await context.out.answer(
    done,
    done.run_id === null
      ? `${count} rejects ${done.dry_run ? 'would be judged again' : 'match: nothing to do'}\n`
      : `run ${done.run_id} judges ${count} rejects again; spine run wait ${done.run_id}\n`,
  );
}

export const registerRejects: Register = (program, context) => {
  const rejects = addGroup(program, 'rejects', 'rows that did not pass');
  addList<Reject>(rejects, context, {
    usage: 'list',
    summary: 'list rejected rows, newest first',
    options: [DOMAIN, STAGE, REASON, PARTITION, RUN, option('--open', 'those that were not repaired')],
    examples: [
      'rejects list --domain finra.otc_transparency --open',
      'rejects list --run 01912345-6789-7abc-8def-0123456789ab',
    ],
    columns: [
      { head: 'ID', cell: ({ reject_id }) => reject_id },
      { head: 'AT', cell: ({ created_at }) => timeCell(created_at) },
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'STAGE', cell: ({ stage }) => stage },
      { head: 'REASON', cell: ({ reason_code }) => reason_code },
      { head: 'LINE', cell: ({ line_number }) => line_number, align: 'right' },
      { head: 'STATE', cell: ({ closed_at }) => (closed_at === null ? 'open' : 'closed') },
      { head: 'DETAIL', cell: ({ reason_detail }) => reason_detail },
    ],
    none: 'no rejects',
    cursor: true,
    ask: (client, { options }, position) =>
      client.ledger.rejects.list({
        ...present({
          domain: options.text('domain'),
          stage: options.text('stage'),
          reason_code: options.text('reason'),
          run_id: options.text('run'),
          open: options.flag('open') ? true : undefined,
        }),
        ...partitionFilter(options),
        ...position,
      }),
  });
  addCommand(rejects, context, {
    usage: 'show <reject-id>',
    summary: 'show one rejected row with its text and what was tried',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).ledger.rejects.get(arg(0))),
  });
  addCommand(rejects, context, {
    usage: 'summary',
    summary: 'count rejects by reason',
    options: [DOMAIN_NEEDED],
    run: async ({ options }, { client, out }) => {
      const summary = await (await client()).ledger.rejects.summary({ domain: options.required('domain') });
      await out.answer(summary, () => out.tableText(REASON_COLUMNS, summary.reasons, 'no rejects'));
    },
  });
  addCommand(rejects, context, {
    usage: 'replay',
    summary: 'judge rejected rows again by the rules of now',
    details: 'They are counted first, and asked about before anything is done.',
    options: [
      DOMAIN_NEEDED,
      STAGE,
      REASON,
      PARTITION,
      option('--reject <id...>', 'these rejects'),
      option('--rule-version <version>', 'by these rules'),
      option('--lane <lane>', 'lane to run in'),
      option('--dry-run', 'only say how many there are'),
      YES,
    ],
    examples: ['rejects replay --domain finra.otc_transparency --reason INVALID_SYMBOL --dry-run'],
    run: replay,
  });
};
