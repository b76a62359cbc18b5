/**
 * B2: a CSV file into the database, by the template `etl`.
 *
 * - A line that is wrong is a reject, with its reason: it is written down, never dropped.
 * - The quality gate stands before the load. Where it is shut, nothing is stored, and its findings and an anomaly say why.
 * - The load publishes: rows, rejects, verdict and the manifest's stage commit together, with the end of the run.
 * - Loading the same file again changes nothing: what is believed already is not written again.
 */
import { z } from 'zod';
import { hashJson, sha256Hex } from '@spine/core';
import { supersedeFact } from '@spine/database';
import { checkQualityGate } from '@spine/execution';
import type { HandlerContext, Publication } from '@spine/execution';
import { TemplateRegistry } from '@spine/orchestration';
import { companies, companyChecks, readCompanies } from './b2-companies.ts';
import type { Companies } from './b2-companies.ts';
import { SAFE, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { plainDate, startOfDay } from './fields.ts';
import { FIXTURES, readFixture } from './fixtures.ts';

const NAME = 'examples.b2_csv_loader';
const TITLE = 'CSV to Database Loader';
export const COMPANIES_DOMAIN = 'examples.companies';
const STAGE = 'LOADED';

const fileParams = z.strictObject({
  csv: z
    .string()
    .max(100_000)
    .optional()
    .describe('The file itself. Default: the one that comes with the example.'),
  as_of: plainDate.describe('Since when the companies are what the file says.'),
  max_reject_percent: z.int().min(0).max(100),
});
type FileParams = z.output<typeof fileParams>;

const extractParams = z.strictObject({ params: fileParams });
const transformParams = extractParams.extend({
  extract: z.strictObject({ csv: z.string(), file: z.string(), lines: z.int() }),
});
const transformed = companies.extend({ file: z.string(), source_hash: z.string() });
const checkedParams = extractParams.extend({ transform: transformed });

const scopeOf = ({ as_of }: FileParams) => ({
  domain: COMPANIES_DOMAIN,
  partitionKey: { as_of },
  stage: STAGE,
});

async function load({ params, transform }: z.output<typeof checkedParams>, ctx: HandlerContext) {
  const outcomes = await companyChecks(params.max_reject_percent).runAll(transform);
  return ctx.publish(async (p) => {
    const stored = await storeCompanies(p, params, transform, ctx.run.runId);
    await p.rejects(
      transform.refused.map(({ line, raw, reason_code, reason_detail }) => ({
        ...scopeOf(params),
        reasonCode: reason_code,
        reasonDetail: reason_detail,
        raw,
        sourceLocator: transform.file,
        sourceHash: transform.source_hash,
        lineNumber: line,
        recordHash: hashJson(raw),
      })),
    );
    await p.quality(scopeOf(params), outcomes);
    await p.stage({
      ...scopeOf(params),
      stageRank: 1,
      rowCount: transform.records.length,
      metrics: { rejected: transform.refused.length },
    });
    return { table: 'bitemporal_facts', ...stored, rejected: transform.refused.length };
  });
}

async function storeCompanies(p: Publication, { as_of }: FileParams, { records }: Companies, runId: string) {
  let inserted = 0;
  // Everybody who changes several keys in one transaction goes through them in one order: nobody waits in a circle.
  for (const { cik, ...value } of [...records].sort((a, b) => (a.cik < b.cik ? -1 : 1))) {
    const outcome = await supersedeFact(p.trx, {
      type: 'assert',
      domain: COMPANIES_DOMAIN,
      factKey: cik,
      valid: { from: startOfDay(as_of), to: null },
      value,
      source: { runId },
    });
    if (outcome.type === 'superseded') inserted += 1;
  }
  return { inserted, unchanged: records.length - inserted };
}

export const b2CsvLoader: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'basic',
    description:
      'Extract, transform, validate and load by the template etl: rejects with reasons, a quality gate, one commit.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { as_of: '2026-01-02', max_reject_percent: 10 } },
    tags: ['workflow', 'template', 'quality', 'rejects', 'publish'],
  },
  register: ({ handlers, workflows }) => {
    handlers
      .registerOperation(
        'examples.b2_extract_csv',
        { description: 'The text of a file of companies.', params: extractParams, ...SAFE },
        async ({ params: { csv } }) => {
          const text = csv ?? (await readFixture('companies'));
          const file = csv === undefined ? FIXTURES.companies : 'params.csv';
          return { csv: text, file, lines: text.trimEnd().split('\n').length };
        },
      )
      .registerOperation(
        'examples.b2_transform',
        { description: 'Lines as companies, with what is refused.', params: transformParams, ...SAFE },
        ({ extract: { csv, file } }) => ({ ...readCompanies(csv), file, source_hash: sha256Hex(csv) }),
      )
      .registerOperation(
        'examples.b2_validate_records',
        { description: 'The quality gate before the load.', params: checkedParams, ...WORKER_ONLY },
        async ({ params, transform }, ctx) => {
          const checks = companyChecks(params.max_reject_percent);
          const outcomes = await checkQualityGate(ctx, scopeOf(params), checks, transform);
          return { checks: outcomes.map(({ checkName, status }) => `${checkName} ${status}`) };
        },
      )
      .registerOperation(
        'examples.b2_load_to_db',
        {
          description: 'Stores companies and rejects.',
          params: checkedParams,
          ...WORKER_ONLY,
          idempotency: 'L2_INPUT',
        },
        load,
      );
    workflows.registerWorkflow(
      TemplateRegistry.withBuiltIns().instantiate('etl', {
        name: NAME,
        domain: 'examples',
        description: TITLE,
        tags: ['example'],
        defaults: { as_of: '2026-01-02', max_reject_percent: 10 },
        extract: 'examples.b2_extract_csv',
        transform: 'examples.b2_transform',
        validate: 'examples.b2_validate_records',
        load: 'examples.b2_load_to_db',
      }),
    );
  },
};
