/**
 * B5: feature flags decide which way a workflow goes.
 *
 * A step reads the flags once, and its output is what the choice and the conditions ask. So a flag that is switched while
 * a run is under way changes nothing of it, the run says later which way it went and why, and a replay goes the same way.
 * `flags` in the run's params overrides them for this run alone.
 */
import { z } from 'zod';
import { hashJson } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { exampleFlags } from './b5-flags.ts';
import type { ExampleFlags } from './b5-flags.ts';
import { checked } from './checked.ts';
import { registerManaged } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';

const NAME = 'examples.b5_feature_flags';
const TITLE = 'Feature-Flagged Pipeline';

const asked = z.object({
  flags: z
    .strictObject({
      use_new_parser: z.boolean().exactOptional(),
      enable_enrichment: z.boolean().exactOptional(),
    })
    .optional(),
});

function readFlags(flags: ExampleFlags) {
  return (values: object) => {
    const { flags: overrides = {} } = checked(asked, values);
    return flags.during(overrides, () => ({
      use_new_parser: flags.isEnabled('use_new_parser'),
      enable_enrichment: flags.isEnabled('enable_enrichment'),
    }));
  };
}

const recordText = z.object({ record: z.string().min(1).max(10_000) });
const parsedRecord = z.object({
  parser: z.enum(['v1', 'v2']),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** `a=1;b=two` as pairs; a part without `=` is a field without a value. */
function pairsOf(values: object): readonly (readonly [string, string])[] {
  return checked(recordText, values)
    .record.split(';')
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? ([part, ''] as const) : ([part.slice(0, at), part.slice(at + 1)] as const);
    });
}

/** Every value is text. */
function parseV1(values: object): JsonObject {
  return { parser: 'v1', fields: Object.fromEntries(pairsOf(values)) };
}

/** Numbers and truth values have their types. What a JSON number would not carry digit by digit stays text. */
function parseV2(values: object): JsonObject {
  const typed = (text: string): string | number | boolean => {
    if (text === 'true' || text === 'false') return text === 'true';
    return /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
  };
  return {
    parser: 'v2',
    fields: Object.fromEntries(pairsOf(values).map(([name, text]) => [name.trim(), typed(text.trim())])),
  };
}

function enrich(values: object) {
  const { fields } = checked(parsedRecord, values);
  return { enriched: { field_count: Object.keys(fields).length, content_hash: hashJson(fields) } };
}

const result = parsedRecord.extend({ enriched: z.record(z.string(), z.json()).optional() });

/** What would be stored. */
function store(values: object): JsonObject {
  const { parser, fields, enriched = null } = checked(result, values);
  return { parser, fields, enriched };
}

export function featureFlagged(flags: ExampleFlags = exampleFlags()): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example', 'playground'] })
    .defaults({ record: 'cik=320193;name=Apple Inc.;filer=true' })
    .step('flags', readFlags(flags))
    .choice(
      'parser',
      [{ when: 'steps.flags.output.use_new_parser', then: (branch) => branch.step('parse_v2', parseV2) }],
      (branch) => branch.step('parse_v1', parseV1),
    )
    .step('enrich', enrich, { when: 'steps.flags.output.enable_enrichment' })
    .step('store', store)
    .build();
}

export const b5FeatureFlags: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'basic',
    description: 'A choice and a conditional step by feature flags, which a step reads once and so records.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { flags: { use_new_parser: true } } },
    tags: ['workflow', 'feature flags', 'choice', 'playground'],
  },
  register: (to, { flags }) => {
    registerManaged(to, featureFlagged(flags));
  },
};
