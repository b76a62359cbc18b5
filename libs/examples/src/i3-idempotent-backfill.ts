/**
 * I3: the days of a range, each ingested once, however often and by whomever it is asked for.
 *
 * 1. The partition key is `{ date }`. Its figures are a fact, asserted at `expectedVersion: 0`: under the lock of the key
 *    only the first writer of a day succeeds. 2. The manifest's stage commits with the fact: a day has both or neither.
 * 3. A run that comes later writes nothing, also where the source says something else by then, and says which run has
 *    done the day: a correction is another operation.
 *
 * So a range may be run again after a crash, in this workflow or as a backfill plan (`POST /backfills`) over the operation
 * `examples.i3_ingest_day`.
 */
import { z } from 'zod';
import { addDays, daysBetween, InvariantError, ValidationError } from '@spine/core';
import { manifestOf, supersedeFact } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';
import { registerManaged, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { plainDate, startOfDay } from './fields.ts';
import { countByForm, filings, readFilings } from './filing-index.ts';

const NAME = 'examples.i3_idempotent_backfill';
const TITLE = 'Idempotent Backfill with Partitions';
export const INGEST_DAY = 'examples.i3_ingest_day';
export const FILINGS_DOMAIN = 'examples.filings';
const STAGE = 'INGESTED';
const MAX_DAYS = 366;

const range = z.object({ from: plainDate, to: plainDate });

/** The days from `from` to `to`, both included. @throws ValidationError */
function plan(values: object) {
  const { from, to } = checked(range, values);
  const days = daysBetween(from, to) + 1;
  if (days < 1 || days > MAX_DAYS) {
    const message = `${from} to ${to} is ${days} days; allowed: 1 to ${MAX_DAYS}`;
    throw new ValidationError(`params.to: ${message}`, {
      issues: [{ field: 'params.to', code: 'out_of_range', message }],
    });
  }
  return { dates: Array.from({ length: days }, (_, day) => addDays(from, day)) };
}

const dayParams = z.strictObject({
  date: plainDate,
  filings: filings.optional().describe('Default: those that come with the example.'),
});

async function ingestDay({ date, filings: given }: z.output<typeof dayParams>, ctx: HandlerContext) {
  const filed = (given ?? (await readFilings())).filter(({ date_filed }) => date_filed === date);
  const partition = { domain: FILINGS_DOMAIN, partitionKey: { date } };
  return ctx.publish(async (p) => {
    const outcome = await supersedeFact(p.trx, {
      type: 'assert',
      domain: FILINGS_DOMAIN,
      factKey: `day:${date}`,
      valid: { from: startOfDay(date), to: startOfDay(addDays(date, 1)) },
      value: countByForm(filed),
      source: { runId: ctx.run.runId },
      expectedVersion: 0,
    });
    if (outcome.type === 'superseded') {
      const metrics = { by_form: countByForm(filed) };
      await p.stage({ ...partition, stage: STAGE, stageRank: 1, rowCount: filed.length, metrics });
      return { date, status: 'ingested', records: filed.length, done_by: ctx.run.runId };
    }
    const done = (await manifestOf(p.trx, partition.domain, partition.partitionKey)).find(
      ({ stage }) => stage === STAGE,
    );
    if (done === undefined) throw new InvariantError(`day ${date} has its fact and no stage`);
    return { date, status: 'skipped', records: done.rowCount ?? 0, done_by: done.runId };
  });
}

const ingested = z.object({
  items: z.array(
    z.object({ date: z.iso.date(), status: z.enum(['ingested', 'skipped']), records: z.int().min(0) }),
  ),
});

function summarize(values: object) {
  const { items } = checked(ingested, values);
  const count = (status: 'ingested' | 'skipped') => items.filter((item) => item.status === status).length;
  return {
    days: items.length,
    ingested: count('ingested'),
    skipped: count('skipped'),
    records: items.reduce((sum, { records }) => sum + records, 0),
  };
}

function idempotentBackfill(): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example'] })
    .defaults({ from: '2025-01-02', to: '2025-01-10' })
    .step('plan', plan)
    .map(
      'ingest',
      '{{ steps.plan.output.dates }}',
      [{ name: 'day', kind: 'operation', handler: INGEST_DAY, params: { date: '{{ item }}' } }],
      { maxConcurrency: 2 },
    )
    .step('summary', summarize, { reads: ['ingest'] })
    .build();
}

export const i3IdempotentBackfill: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'intermediate',
    description:
      'A map over the days of a range; a day that was done is skipped and names the run that did it.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { from: '2025-01-02', to: '2025-01-10' } },
    tags: ['workflow', 'map', 'backfill', 'partition', 'idempotency', 'manifest'],
  },
  register: (to) => {
    to.handlers.registerOperation(
      INGEST_DAY,
      {
        description: 'Counts the filings of a day, once.',
        params: dayParams,
        ...WORKER_ONLY,
        idempotency: 'L2_INPUT',
      },
      ingestDay,
    );
    registerManaged(to, idempotentBackfill());
  },
};
