/**
 * I1: an annual report, from its filing to facts that can be asked about for any moment.
 *
 * - `fetch_10k` puts the report into an envelope with its clocks: the period it is about, when it was published, when we
 *   saw it. Mixing them up is how a backtest comes to use figures that nobody had yet.
 * - `quality_gate` fails with DATA_QUALITY where a figure is missing; another attempt would not find it.
 * - `store` publishes the facts, the manifest's stage of the partition `{ cik, fiscal_year }`, and the watermark of the
 *   filer, in one transaction. What is believed already is not written again, so the same report may be run twice.
 */
import { z } from 'zod';
import { envelopeToJson, ErrorCategory, systemClock, temporalEnvelope } from '@spine/core';
import type { Clock } from '@spine/core';
import { supersedeFact } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { operation, StepResult, workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';
import { registerManaged, SAFE, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { startOfDay } from './fields.ts';
import { filingKey, findTenK, normalizedTenK, normalizeTenK, requireFacts, tenK } from './i1-ten-k.ts';
import type { NormalizedTenK } from './i1-ten-k.ts';

const NAME = 'examples.i1_sec_filing_etl';
const TITLE = 'SEC Filing ETL with Temporal Tracking';
export const SEC_DOMAIN = 'examples.sec';

const envelope = z.object({
  event_time: z.iso.datetime(),
  publish_time: z.iso.datetime(),
  ingest_time: z.iso.datetime(),
  payload: tenK,
});
const enveloped = z.object({ envelope });

function fetch10k(clock: Clock) {
  return async (values: object): Promise<StepResult> => {
    const key = checked(filingKey, values);
    const report = await findTenK(key);
    if (report === null) {
      const what = `${key.cik} has no 10-K of ${key.fiscal_year}`;
      return StepResult.fail(what, { category: ErrorCategory.SOURCE });
    }
    const times = {
      eventTime: startOfDay(report.period_end),
      publishTime: startOfDay(report.filed),
      ingestTime: clock.now(),
    };
    const envelope = { ...envelopeToJson(temporalEnvelope(times, report)) };
    return StepResult.ok({ filing_type: '10-K', envelope });
  };
}

const storeParams = z.strictObject({ report: normalizedTenK, envelope });

async function store({ report, envelope }: z.output<typeof storeParams>, ctx: HandlerContext) {
  const { cik, fiscal_year, filed } = report;
  const partitionKey = { cik, fiscal_year };
  return ctx.publish(async (p) => {
    let changed = 0;
    for (const [name, value] of factsOf(report)) {
      const outcome = await supersedeFact(p.trx, {
        type: 'assert',
        domain: SEC_DOMAIN,
        factKey: `${cik}:${name}`,
        valid: { from: startOfDay(report.valid_from), to: startOfDay(report.valid_to) },
        value,
        source: {
          runId: ctx.run.runId,
          eventTime: new Date(envelope.event_time),
          publishTime: new Date(envelope.publish_time),
          ingestTime: new Date(envelope.ingest_time),
        },
      });
      if (outcome.type === 'superseded') changed += 1;
    }
    const facts = factsOf(report).length;
    await p.stage({
      domain: SEC_DOMAIN,
      partitionKey,
      stage: 'STORED',
      stageRank: 1,
      rowCount: facts,
      metrics: { changed },
    });
    const mark = await p.watermark({
      domain: SEC_DOMAIN,
      source: '10-K',
      partitionKey: { cik },
      kind: 'date',
      highWater: filed,
    });
    return { stored: facts, changed, watermark: mark.current.highWater };
  });
}

/** In the order of their names: everybody who changes several keys goes through them in one order. */
function factsOf({ facts }: NormalizedTenK): (readonly [string, string])[] {
  return Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** @param clock says when a report was seen. */
export function secFilingEtl(clock: Clock = systemClock): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example', 'sec', '10-K'] })
    .defaults({ cik: '0000320193', fiscal_year: 2024 })
    .step('fetch_10k', fetch10k(clock))
    .step('quality_gate', (values: object) => requireFacts(checked(enveloped, values).envelope.payload))
    .step('normalize', operation('examples.i1_normalize_filing'), {
      config: { envelope: '{{ steps.fetch_10k.output.envelope }}' },
    })
    .step('store', operation('examples.i1_store_filing'), {
      config: {
        report: '{{ steps.normalize.output }}',
        envelope: '{{ steps.fetch_10k.output.envelope }}',
      },
    })
    .build();
}

export const i1SecFilingEtl: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'intermediate',
    description:
      'A 10-K in an envelope of four clocks, a gate, and facts that commit with manifest and watermark.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { cik: '0000320193', fiscal_year: 2024 } },
    tags: ['workflow', 'temporal', 'quality', 'publish', 'partition', 'watermark'],
  },
  register: (to) => {
    to.handlers
      .registerOperation(
        'examples.i1_normalize_filing',
        { description: 'The figures of a 10-K.', params: enveloped, ...SAFE },
        ({ envelope: { payload } }) => normalizeTenK(payload),
      )
      .registerOperation(
        'examples.i1_store_filing',
        { description: 'Facts of a 10-K.', params: storeParams, ...WORKER_ONLY, idempotency: 'L2_INPUT' },
        store,
      );
    registerManaged(to, secFilingEtl());
  },
};
