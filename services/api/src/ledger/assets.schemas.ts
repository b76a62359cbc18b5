/** Queries and bodies of the asset endpoints. */
import { z } from 'zod';
import { FRESHNESS, isAssetKey, isStorableText, parseStrictJson } from '@spine/core';
import type { AssetKey } from '@spine/core';
import { LINEAGE_LIMITS } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { listOfValues, once, text, wholeNumber } from '../http/query-values.ts';

const METADATA_BYTES = 64 * 1024;

const name = z
  .string()
  .min(1)
  .max(200)
  .refine(isStorableText, 'must not contain NUL characters or lone surrogates');

const partitionKey = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
  .refine((key) => JSON.stringify(key).length <= 2_000, 'must have at most 2000 characters of JSON');

const metadata = z
  .record(z.string(), z.json())
  .refine(
    (value) => JSON.stringify(value).length <= METADATA_BYTES,
    `must have at most ${METADATA_BYTES} characters of JSON`,
  )
  .describe('Any JSON.');

export const assetKeyText = z
  .string()
  .refine((value): value is AssetKey => isAssetKey(value), 'must be an asset key such as sec/filings/10-K');

/** JSON text that becomes a partition key. */
const partitionKeyQuery = z.preprocess(
  (value, ctx): unknown => {
    const parsed = typeof value === 'string' ? parseStrictJson(value) : undefined;
    if (parsed?.isOk() === true) return parsed.value;
    ctx.issues.push({
      code: 'custom',
      message: 'must be a JSON object such as {"week_ending":"2025-12-12"}',
      input: value,
    });
    return z.NEVER;
  },
  partitionKey.meta({ type: 'string' }),
);

export const assetListQuery = z.strictObject({
  prefix: once(assetKeyText).optional().describe('This asset and those below it, e.g. `sec/filings`.'),
  domain: text(200).optional(),
  freshness: listOfValues(FRESHNESS).optional().describe('One or more, separated by commas or repeated.'),
  ...cursorPaging,
  // A cursor holds a key.
  cursor: once(z.string().min(1).max(400)).optional().describe('`page.next_cursor` of the page before.'),
});
export type AssetListQuery = z.infer<typeof assetListQuery>;

export const materializationListQuery = z.strictObject({
  partition_key: partitionKeyQuery
    .optional()
    .describe('JSON of the partition’s key; only its materializations.'),
  ...cursorPaging,
});
export type MaterializationListQuery = z.infer<typeof materializationListQuery>;

export const observationListQuery = z.strictObject(cursorPaging);
export type ObservationListQuery = z.infer<typeof observationListQuery>;

export const lineageQuery = z.strictObject({
  direction: once(z.enum(['up', 'down', 'both']))
    .default('both')
    .describe('`up`: what it is made from; `down`: what is made from it. Default both.'),
  depth: wholeNumber(1, LINEAGE_LIMITS.depth).default(5).describe('Steps at the most. Default 5.'),
});
export type LineageQuery = z.infer<typeof lineageQuery>;

export const assetBody = z
  .strictObject({
    domain: name,
    description: z
      .string()
      .max(2_000)
      .refine(isStorableText, 'must be storable text')
      .nullable()
      .default(null),
    max_lag_seconds: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('How old the newest materialization may be; null promises nothing.'),
    metadata: metadata.default({}),
  })
  .meta({ id: 'AssetDefinition' });
export type AssetBody = z.infer<typeof assetBody>;

export const observationBody = z
  .strictObject({
    observed_by: name.describe('Who or what looked.'),
    partition_key: partitionKey.default({}).describe('Of the whole asset when left out.'),
    run_id: z.uuid().nullable().default(null),
    batch_id: name.nullable().default(null),
    data_version: name.nullable().default(null),
    row_count: z.int().min(0).nullable().default(null),
    metadata: metadata.default({}),
  })
  .meta({ id: 'AssetObservationRequest' });
export type ObservationBody = z.infer<typeof observationBody>;
