/**
 * I5: a source that fails, between a retry policy and a circuit breaker.
 *
 * - A call that fails with a transport error fails the attempt of the step; its policy makes another, later and later.
 * - The breaker `examples_edgar` counts the calls of all workers. Where most fail it opens: nobody calls any more, and a
 *   run that would have is put off, no attempt charged, until one call may try whether the source is back.
 * - An answer such as "not found" comes from a source that works, and counts for the breaker as such.
 */
import { z } from 'zod';
import type { HandlerContext } from '@spine/execution';
import { operation, workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';
import { registerManaged, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { countByForm, filings } from './filing-index.ts';
import { flakyFilings } from './filing-source.ts';
import type { FilingSource } from './filing-source.ts';

const NAME = 'examples.i5_circuit_protected';
const TITLE = 'Circuit-Protected API Ingestion';
/** The dependency, as operators see it in `GET /breakers`. */
export const EDGAR_BREAKER = 'examples_edgar';

const fetchParams = z.strictObject({
  form_type: z.string().min(1).max(20),
  fail_first: z.int().min(0).max(5).describe('Attempts that the source in the process fails.'),
});

function fetchProtected(source: FilingSource) {
  return async ({ form_type, fail_first }: z.output<typeof fetchParams>, ctx: HandlerContext) => {
    const { step_attempt: attempt = ctx.run.attempt } = ctx.run.metadata;
    const found = await ctx
      .breaker(EDGAR_BREAKER)
      .fire(() =>
        source.fetch({ form: form_type, attempt: Number(attempt), failFirst: fail_first }, ctx.signal),
      );
    return { filings: [...found], attempt: Number(attempt) };
  };
}

const fetched = z.object({ filings });

function process(values: object) {
  const { filings: list } = checked(fetched, values);
  const filers = new Set(list.map(({ cik }) => cik));
  return { filings: list.length, filers: filers.size, by_form: countByForm(list) };
}

function circuitProtected(): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example'] })
    .defaults({ form_type: '8-K', fail_first: 2 })
    .step('fetch', operation('examples.i5_fetch_filings'), {
      config: { form_type: '{{ params.form_type }}', fail_first: '{{ params.fail_first }}' },
      retry: { strategy: 'exponential', maxRetries: 5, baseDelaySeconds: 0.1, maxDelaySeconds: 5 },
    })
    .step('process', process)
    .outputs({
      attempts: '{{ steps.fetch.output.attempt }}',
      filings: '{{ steps.process.output.filings }}',
      filers: '{{ steps.process.output.filers }}',
      by_form: '{{ steps.process.output.by_form }}',
    })
    .build();
}

export const i5CircuitProtected: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'intermediate',
    description: 'A flaky source behind a retry policy and a circuit breaker that all workers share.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { form_type: '8-K', fail_first: 2 } },
    tags: ['workflow', 'retry', 'circuit breaker'],
  },
  register: (to, { filings: source = flakyFilings }) => {
    to.handlers.registerOperation(
      'examples.i5_fetch_filings',
      { description: 'Filings of a form, behind a circuit breaker.', params: fetchParams, ...WORKER_ONLY },
      fetchProtected(source),
    );
    registerManaged(to, circuitProtected());
  },
};
