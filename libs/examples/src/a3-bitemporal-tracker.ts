/**
 * A3: a report, its amendment, and the two questions that need two time axes.
 *
 * "What is the revenue of the quarter" and "what did we believe that it was, before the amendment" have different answers,
 * and both stay answerable. `record` asserts each filing at the version it follows: doing it again finds that it is there
 * already. `ask` reads the store as of the moment after each change; `compare` holds that against the same history made in
 * memory of the days of filing, by the pure functions that the store itself decides with.
 */
import { z } from 'zod';
import { ConflictError, isJsonObject, NotFoundError } from '@spine/core';
import { factAsOf, factHistory, supersedeFact } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { operation, workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import {
  beliefsOf,
  figures,
  figuresOf,
  periodOf,
  reported,
  reportFiling,
  restatement,
} from './a3-filings.ts';
import { checked } from './checked.ts';
import { registerManaged, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { cik, plainDate, startOfDay } from './fields.ts';
import { readJsonFixture } from './fixtures.ts';

const NAME = 'examples.a3_bitemporal_tracker';
const TITLE = 'Bi-Temporal Filing Tracker';
export const REPORTS_DOMAIN = 'examples.reports';

const given = z.object({ report: reported.optional() });

async function read(values: object) {
  const { report = reported.parse(await readJsonFixture('amendments')) } = checked(given, values);
  beliefsOf(report); // refuses a period that ends before it begins, and filings that are not in order
  return { report };
}

const period = z.strictObject({ cik, period_start: plainDate, period_end: plainDate });
const recordParams = period.extend({ filing: reportFiling, index: z.int().min(0) });

const factKeyOf = ({ cik, period_end }: { readonly cik: string; readonly period_end: string }) =>
  `${cik}:${period_end}`;

async function record(params: z.output<typeof recordParams>, ctx: HandlerContext) {
  const { filing, index } = params;
  return ctx.publish(async (p) => {
    const outcome = await supersedeFact(p.trx, {
      type: 'assert',
      domain: REPORTS_DOMAIN,
      factKey: factKeyOf(params),
      valid: periodOf(params),
      value: figuresOf(filing),
      source: { runId: ctx.run.runId, publishTime: startOfDay(filing.filed) },
      // The first filing follows version 0, its amendment version 1.
      expectedVersion: index,
    });
    if (outcome.type === 'conflict' && outcome.version < index) {
      throw new ConflictError(`filing ${index} follows version ${index}; there is only ${outcome.version}`);
    }
    return { form: filing.form, outcome: outcome.type === 'superseded' ? 'recorded' : 'there' };
  });
}

const asking = period.extend({ filings: z.int().min(1) });

/** What was believed after each of the first changes, and what is believed now. */
async function ask(params: z.output<typeof asking>, ctx: HandlerContext) {
  const key = { domain: REPORTS_DOMAIN, factKey: factKeyOf(params) };
  return ctx.transaction(async (trx) => {
    const history = await factHistory(trx, key, null, 1_000);
    const point = { ...key, validAt: periodOf(params).from };
    const believed: unknown[] = [];
    for (let version = 1; version <= params.filings; version += 1) {
      const change = history.find((fact) => fact.version === version);
      const fact =
        change === undefined ? null : await factAsOf(trx, { ...point, systemAt: change.systemFrom });
      believed.push(fact?.value ?? null);
    }
    const now = await factAsOf(trx, { ...point, systemAt: null });
    if (now === null || !isJsonObject(now.value))
      throw new NotFoundError(`nothing is known of ${key.factKey}`);
    return { believed, now: now.value, versions: history.length };
  });
}

const comparing = z.object({ report: reported, believed: z.array(figures), now: figures });

function compare(values: object) {
  const { report, believed, now } = checked(comparing, values);
  const expected = beliefsOf(report).map(({ payload }) => payload);
  const [first = now] = believed;
  return {
    original: first,
    current: now,
    ...restatement(first, now),
    has_been_superseded: believed.length > 1,
    same_as_in_memory: JSON.stringify(expected) === JSON.stringify(believed),
  };
}

function bitemporalTracker(): ManagedWorkflow {
  const ofPeriod = {
    cik: '{{ steps.read.output.report.cik }}',
    period_start: '{{ steps.read.output.report.period_start }}',
    period_end: '{{ steps.read.output.report.period_end }}',
  };
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example'] })
    .step('read', read)
    .map(
      'record',
      '{{ steps.read.output.report.filings }}',
      [
        {
          name: 'filing',
          kind: 'operation',
          handler: 'examples.a3_record_filing',
          params: { ...ofPeriod, filing: '{{ item }}', index: '{{ index }}' },
        },
      ],
      // One after the other: an amendment follows what it amends.
      { maxConcurrency: 1 },
    )
    .step('ask', operation('examples.a3_ask'), {
      config: { ...ofPeriod, filings: '{{ steps.record.output.count }}' },
    })
    .step('compare', compare)
    .build();
}

export const a3BitemporalTracker: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'advanced',
    description:
      'A filing and its amendment: what is believed now, and what was believed before, from the store.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: {} },
    tags: ['workflow', 'temporal', 'bitemporal', 'map', 'idempotency'],
  },
  register: (to) => {
    to.handlers
      .registerOperation(
        'examples.a3_record_filing',
        {
          description: 'Believes a filing, once.',
          params: recordParams,
          ...WORKER_ONLY,
          idempotency: 'L2_INPUT',
        },
        record,
      )
      .registerOperation(
        'examples.a3_ask',
        { description: 'What was believed of a period, and when.', params: asking, ...WORKER_ONLY },
        ask,
      );
    registerManaged(to, bitemporalTracker());
  },
};
