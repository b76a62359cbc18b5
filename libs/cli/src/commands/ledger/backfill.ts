import { present } from '@spine/core';
import type { Backfill, BackfillPartition, BackfillRequest } from '@spine/sdk';
import { keyCell, stateStyle, timeCell } from '../../frame/cells.ts';
import { addCommand, addGroup, choice, option, repeatable, YES } from '../../frame/command.ts';
import type { Call, Register } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { parseJsonObject, partitionKeyOf, readInput, readParams } from '../../frame/input.ts';
import { addList } from '../../frame/list.ts';
import { oneOf } from '../../frame/options.ts';
import type { Options } from '../../frame/options.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { PARAMS_HELP, parseHandler } from '../runs/submit.ts';
import { DOMAIN } from './filters.ts';
import { CADENCES } from './watermarks.ts';

const STATUSES = ['PLANNED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
const REASONS = ['GAP', 'CORRECTION', 'SCHEMA_CHANGE', 'QUALITY_FAILURE', 'MANUAL'] as const;
const RUNNABLE = [
  'task',
  'operation',
  'workflow',
] as const satisfies readonly BackfillRequest['run']['kind'][];

/** Which partitions: named one by one, or a range of days. @throws UsageError */
function partitionsOf(options: Options): Pick<BackfillRequest, 'partition_keys' | 'range'> {
  const named = options.texts('key');
  const [from, to] = [options.text('from'), options.text('to')];
  if (named !== undefined) {
    return { partition_keys: named.map((each) => partitionKeyOf(each.split(',')) ?? {}) };
  }
  if (from === undefined || to === undefined) {
    throw new UsageError('give partitions by --key, or a range by --from and --to');
  }
  const template = options.text('template');
  const range = present({
    workflow: options.text('workflow'),
    cadence: options.choice('cadence', CADENCES),
    template: template === undefined ? undefined : partitionKeyOf(template.split(',')),
    gaps_of_source: options.text('gapsOfSource'),
    gaps_of_stage: options.text('gapsOfStage'),
  });
  return { range: { ...range, from, to } };
}

/** The rest of a request is the API's to judge. */
function isRequest(value: object): value is BackfillRequest {
  return 'domain' in value && 'run' in value;
}

async function requestOf(call: Call, { io }: CliContext): Promise<BackfillRequest> {
  const { options, args } = call;
  const file = options.text('file');
  if (file !== undefined) {
    const body = parseJsonObject(await readInput(io, file), file);
    if (isRequest(body)) return body;
    throw new UsageError(`${file} must be a backfill with domain and run`);
  }
  const [handler, ...more] = args;
  if (handler === undefined)
    throw new UsageError('give a handler such as operation:finra.otc_transparency.ingest_week, or --file');
  const { kind, name } = parseHandler(handler);
  const params = await readParams(io, more);
  return {
    domain: options.required('domain'),
    source: options.required('source'),
    reason: options.choice('reason', REASONS) ?? 'MANUAL',
    run: {
      kind: oneOf('the kind of a backfill', kind, RUNNABLE),
      name,
      ...present({ params, lane: options.text('lane') }),
    },
    ...partitionsOf(options),
    ...present({ concurrency: options.whole('concurrency', 1), note: options.text('note') }),
  };
}

function line({ backfill_id, status, completed, failed, total }: Backfill): string {
  return `backfill ${backfill_id} is ${status}: ${completed} of ${total} done${failed === 0 ? '' : `, ${failed} failed`}\n`;
}

export const registerBackfill: Register = (program, context) => {
  const backfill = addGroup(program, 'backfill', 'do partitions again');
  addList<Backfill>(backfill, context, {
    usage: 'list',
    summary: 'list backfills, newest first',
    options: [
      DOMAIN,
      choice('--status <status>', 'in this state', STATUSES),
      choice('--reason <reason>', 'for this reason', REASONS),
    ],
    columns: [
      { head: 'ID', cell: ({ backfill_id }) => backfill_id },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'SOURCE', cell: ({ source }) => source },
      { head: 'REASON', cell: ({ reason }) => reason },
      { head: 'DONE', cell: ({ completed, total }) => `${completed}/${total}`, align: 'right' },
      { head: 'FAILED', cell: ({ failed }) => failed, align: 'right' },
      { head: 'CREATED', cell: ({ created_at }) => timeCell(created_at) },
    ],
    none: 'no backfills',
    cursor: true,
    ask: (client, { options }, position) =>
      client.ledger.backfills.list({
        ...present({
          domain: options.text('domain'),
          status: options.choice('status', STATUSES),
          reason: options.choice('reason', REASONS),
        }),
        ...position,
      }),
  });
  addCommand(backfill, context, {
    usage: 'show <backfill-id>',
    summary: 'show one backfill with how far it is',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).ledger.backfills.get(arg(0))),
  });
  addList<BackfillPartition>(backfill, context, {
    usage: 'partitions <backfill-id>',
    summary: 'list the partitions of a backfill',
    columns: [
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'ATTEMPTS', cell: ({ attempts }) => attempts, align: 'right' },
      { head: 'RUN', cell: ({ run_id }) => run_id },
      { head: 'ERROR', cell: ({ error }) => error?.message ?? '' },
    ],
    none: 'no partitions',
    cursor: true,
    ask: (client, { arg }, position) => client.ledger.backfills.partitions(arg(0), position),
  });
  addCommand(backfill, context, {
    usage: 'create [handler] [params...]',
    summary: 'plan a backfill; nothing runs before it is started',
    details: PARAMS_HELP,
    options: [
      option('-f, --file <file>', 'the whole request as JSON'),
      option('--domain <domain>', 'whose data it is'),
      option('--source <source>', 'where it comes from'),
      choice('--reason <reason>', 'default: MANUAL', REASONS),
      repeatable('--key <name=value,...>', 'a partition; may be repeated'),
      option('--from <day>', 'partitions from this day on'),
      option('--to <day>', 'to this day'),
      option('--workflow <name>', 'as the expected schedule of this workflow says'),
      choice('--cadence <cadence>', 'one partition for each', CADENCES),
      option(
        '--template <name=value,...>',
        'partition key with its period as {date}, {week_ending}, {month} or {quarter}',
      ),
      option('--gaps-of-source <source>', 'only what this source has not'),
      option('--gaps-of-stage <stage>', 'only what has not reached this stage'),
      option('--concurrency <count>', 'partitions at once'),
      option('--lane <lane>', 'lane to run in'),
      option('--note <text>', 'why'),
      option('--start', 'start it too'),
    ],
    examples: [
      'backfill create operation:finra.otc_transparency.normalize_week --domain finra.otc_transparency --source weekly_files --cadence weekly --from 2025-10-01 --to 2025-12-31 --template week_ending={week_ending},tier=OTC',
    ],
    run: async (call, context) => {
      const body = await requestOf(call, context);
      const { backfills } = (await context.client()).ledger;
      const created = await backfills.create(body);
      const shown = call.options.flag('start') ? await backfills.start(created.backfill_id) : created;
      await context.out.answer(shown, line(shown));
    },
  });
  for (const [name, summary] of [
    ['start', 'start a planned backfill'],
    ['resume', 'go on with a backfill that failed or was cancelled'],
    ['cancel', 'start no more partitions, and cancel those under way'],
  ] as const) {
    addCommand(backfill, context, {
      usage: `${name} <backfill-id>`,
      summary,
      run: async ({ arg }, { client, out }) => {
        const changed = await (await client()).ledger.backfills[name](arg(0));
        await out.answer(changed, line(changed));
      },
    });
  }
  addCommand(backfill, context, {
    usage: 'limit <backfill-id>',
    summary: 'change how much of it runs at once, also while it runs',
    options: [
      option('--concurrency <count>', 'partitions at once'),
      option('--max-attempts <count>', 'attempts of each partition'),
      option('--note <text>', 'why'),
    ],
    run: async ({ arg, options }, { client, out }) => {
      const body = present({
        concurrency: options.whole('concurrency', 1),
        max_attempts: options.whole('maxAttempts', 1),
        note: options.text('note'),
      });
      const changed = await (await client()).ledger.backfills.limit(arg(0), body);
      await out.answer(changed, line(changed));
    },
  });
  addCommand(backfill, context, {
    usage: 'delete <backfill-id>',
    summary: 'delete a backfill that was never started',
    options: [YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Delete backfill ${arg(0)}?`, options.flag('yes')))) return;
      const deleted = await (await client()).ledger.backfills.delete(arg(0));
      await out.answer(deleted ?? null, `backfill ${arg(0)} is deleted\n`);
    },
  });
};
