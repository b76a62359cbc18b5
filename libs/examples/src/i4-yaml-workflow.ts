/**
 * I4: a workflow that is a file, `fixtures/i4-sec-filings.yaml`, read and registered like any other.
 *
 * The file says what runs and in which order; the operations it names are here. Its definition written out as YAML and
 * read again is the same definition, hash included. A form whose index has a filing with a broken number fails
 * `validate`, which is `on_error: continue`: the run goes on without that filing.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { QualityGateError } from '@spine/core';
import type { HandlerContext } from '@spine/execution';
import { parseWorkflowYaml } from '@spine/orchestration';
import type { WorkflowDefinition } from '@spine/orchestration';
import { SAFE, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { ACCESSION, filings, readFilings } from './filing-index.ts';
import type { Filing } from './filing-index.ts';

const NAME = 'examples.i4_yaml_workflow';
const TITLE = 'YAML-Defined Workflow';
export const YAML_DOMAIN = 'examples.filings_by_form';

/** The text of the file. */
export function yamlSource(): string {
  return readFileSync(new URL('../fixtures/i4-sec-filings.yaml', import.meta.url), 'utf8');
}

/** @throws ValidationError for a file that describes no workflow, by line and column. */
export function yamlWorkflow(): WorkflowDefinition {
  return parseWorkflowYaml(yamlSource()).definition;
}

const form = z.string().min(1).max(20);
const someFilings = z.strictObject({ filings });
const stored = z.strictObject({ form_type: form, filings });

/** The number without its dashes, the filer's with its zeros; without those filings whose number is broken. */
export function normalizeFilings(list: readonly Filing[]): Filing[] {
  return list
    .filter(({ accession }) => ACCESSION.test(accession))
    .map((each) => ({
      ...each,
      cik: each.cik.padStart(10, '0'),
      accession: each.accession.replaceAll('-', ''),
    }));
}

async function store({ form_type, filings: list }: z.output<typeof stored>, ctx: HandlerContext) {
  return ctx.publish(async (p) => {
    await p.stage({
      domain: YAML_DOMAIN,
      partitionKey: { form_type },
      stage: 'STORED',
      stageRank: 1,
      rowCount: list.length,
      metrics: { accessions: list.map(({ accession }) => accession) },
    });
    const newest = list
      .map(({ date_filed }) => date_filed)
      .sort()
      .at(-1);
    if (newest !== undefined) {
      const partitionKey = { form_type };
      await p.watermark({
        domain: YAML_DOMAIN,
        source: 'form-index',
        partitionKey,
        kind: 'date',
        highWater: newest,
      });
    }
    return { stored: list.length, newest: newest ?? null };
  });
}

export const i4YamlWorkflow: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'intermediate',
    description: 'A workflow from a YAML file: dependencies, a step that may fail, and outputs by reference.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { form_type: '10-K' } },
    tags: ['workflow', 'yaml', 'manifest', 'watermark'],
  },
  register: ({ handlers, workflows }) => {
    handlers
      .registerOperation(
        'examples.i4_fetch_filings',
        {
          description: 'The filings of a form.',
          params: z.strictObject({ form_type: form }),
          ...SAFE,
        },
        async ({ form_type }) => {
          const found = (await readFilings()).filter((each) => each.form === form_type);
          return { filings: found, count: found.length };
        },
      )
      .registerOperation(
        'examples.i4_validate_filings',
        { description: 'Whether every filing has a number.', params: someFilings, ...SAFE },
        ({ filings: list }) => {
          const broken = list.filter(({ accession }) => !ACCESSION.test(accession));
          if (broken.length === 0) return { checked: list.length };
          const numbers = broken.map(({ accession }) => accession).join(', ');
          const message = `${broken.length} of ${list.length} filings have no number: ${numbers}`;
          throw new QualityGateError([{ name: 'accession_form', message }]);
        },
      )
      .registerOperation(
        'examples.i4_normalize_filings',
        { description: 'Filings with numbers in one spelling.', params: someFilings, ...SAFE },
        ({ filings: list }) => ({ filings: normalizeFilings(list) }),
      )
      .registerOperation(
        'examples.i4_store_filings',
        { description: 'The stage of a form.', params: stored, ...WORKER_ONLY, idempotency: 'L3_STATE' },
        store,
      );
    workflows.registerWorkflow(yamlWorkflow());
  },
};
