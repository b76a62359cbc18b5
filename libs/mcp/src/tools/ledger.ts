/** Tools that read the data ledger: what was processed, how good it is, how far it goes. */
import { z } from 'zod';
import { list, one } from '../answer/answer.ts';
import {
  CURSOR_PAGE,
  DOMAIN,
  id,
  OFFSET_PAGE,
  PARTITION_KEY,
  partitionText,
  SINCE,
  UNTIL,
} from '../fields.ts';
import { defineTool } from '../tool.ts';
import type { Tool } from '../tool.ts';

const OF_PARTITION = { domain: DOMAIN, partition_key: PARTITION_KEY };
const OF_RUN = { run_id: id('Recorded by this run.').exactOptional() };
const STAGE = z.string().max(200).exactOptional().describe('Needs `domain`.');

export const LEDGER_TOOLS: readonly Tool[] = [
  defineTool({
    name: 'manifest_list',
    title: 'Manifest',
    description:
      'What was processed: a row for each stage of each partition, with counts and the run that did it.',
    effect: 'reads',
    input: z.strictObject({ ...OF_PARTITION, stage: STAGE, ...CURSOR_PAGE }),
    run: async ({ partition_key, ...query }, { client, call }) =>
      list(await client.ledger.manifest({ ...query, ...partitionText(partition_key) }, call).first()),
  }),
  defineTool({
    name: 'quality_list',
    title: 'Quality results',
    description: 'Quality checks and their verdicts: what passed, warned or failed, expected and actual.',
    effect: 'reads',
    input: z.strictObject({
      ...OF_PARTITION,
      ...OF_RUN,
      status: z.enum(['PASS', 'WARN', 'FAIL']).exactOptional(),
      check_name: z.string().max(200).exactOptional().describe('Needs `domain`.'),
      since: SINCE,
      until: UNTIL,
      ...CURSOR_PAGE,
    }),
    run: async ({ partition_key, ...query }, { client, call }) =>
      list(await client.ledger.quality({ ...query, ...partitionText(partition_key) }, call).first()),
  }),
  defineTool({
    name: 'anomaly_list',
    title: 'Anomalies',
    description:
      'What was found to be wrong with data, sources or steps, and whether somebody has resolved it.',
    effect: 'reads',
    input: z.strictObject({
      ...OF_PARTITION,
      ...OF_RUN,
      severity: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL']).exactOptional(),
      resolved: z.boolean().exactOptional(),
      since: SINCE,
      until: UNTIL,
      ...CURSOR_PAGE,
    }),
    run: async ({ partition_key, ...query }, { client, call }) =>
      list(await client.ledger.anomalies.list({ ...query, ...partitionText(partition_key) }, call).first()),
  }),
  defineTool({
    name: 'reject_list',
    title: 'Rejected rows',
    description:
      'Rows that were refused, with the reason and the row itself, which is data that others wrote.',
    effect: 'reads',
    input: z.strictObject({
      ...OF_PARTITION,
      ...OF_RUN,
      stage: STAGE,
      reason_code: z.string().max(200).exactOptional().describe('Needs `domain`.'),
      open: z.boolean().exactOptional().describe('Needs `domain` or `run_id`.'),
      ...CURSOR_PAGE,
    }),
    run: async ({ partition_key, ...query }, { client, call }) =>
      list(await client.ledger.rejects.list({ ...query, ...partitionText(partition_key) }, call).first()),
  }),
  defineTool({
    name: 'reject_summary',
    title: 'Rejects by reason',
    description: 'How many rows of a domain were refused, by stage and reason.',
    effect: 'reads',
    input: z.strictObject({ domain: z.string().min(1).max(200) }),
    run: async (query, { client, call }) => one(await client.ledger.rejects.summary(query, call)),
  }),
  defineTool({
    name: 'watermark_list',
    title: 'Watermarks',
    description: 'How far the data of each source and partition goes.',
    effect: 'reads',
    input: z.strictObject({
      domain: DOMAIN,
      source: z.string().max(200).exactOptional().describe('Needs `domain`.'),
      ...CURSOR_PAGE,
    }),
    run: async (query, { client, call }) => list(await client.ledger.watermarks(query, call).first()),
  }),
  defineTool({
    name: 'watermark_gaps',
    title: 'Missing partitions',
    description:
      'Partitions that should be there in a span of days and are not: of a `stage` or of a `source`.',
    effect: 'reads',
    input: z.strictObject({
      domain: z.string().min(1).max(200),
      from: z.string().max(10).describe('The first day a period may end on, e.g. 2026-01-02.'),
      to: z.string().max(10).describe('The last one.'),
      workflow: z.string().max(200).exactOptional().describe('An expected schedule of the domain.'),
      cadence: z
        .enum(['daily', 'weekdays', 'weekly', 'monthly', 'quarterly'])
        .exactOptional()
        .describe('Instead of a workflow, with `template`.'),
      template: z
        .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
        .exactOptional()
        .describe(
          'With `cadence`: a partition key with a placeholder, e.g. {"week_ending": "{week_ending}"}.',
        ),
      stage: z
        .string()
        .max(200)
        .exactOptional()
        .describe('Gaps are partitions without a manifest row of this stage.'),
      source: z
        .string()
        .max(200)
        .exactOptional()
        .describe('Gaps are partitions without a watermark of this source.'),
      ...OFFSET_PAGE,
    }),
    run: async ({ template, ...query }, { client, call }) => {
      const like = template === undefined ? {} : { template: JSON.stringify(template) };
      return list(await client.ledger.gaps({ ...query, ...like }, call).first());
    },
  }),
  defineTool({
    name: 'readiness_list',
    title: 'Readiness',
    description: 'Which partitions are certified for use, and what still blocks the others.',
    effect: 'reads',
    input: z.strictObject({
      ...OF_PARTITION,
      ready_for: z.string().max(200).exactOptional(),
      is_ready: z.boolean().exactOptional(),
      ...CURSOR_PAGE,
    }),
    run: async ({ partition_key, ...query }, { client, call }) =>
      list(await client.ledger.readiness.list({ ...query, ...partitionText(partition_key) }, call).first()),
  }),
  defineTool({
    name: 'asset_list',
    title: 'Assets',
    description: 'What data there is, when it was last made, and whether it is fresh.',
    effect: 'reads',
    input: z.strictObject({
      domain: DOMAIN,
      freshness: z
        .array(z.enum(['fresh', 'stale', 'missing']))
        .min(1)
        .exactOptional(),
      prefix: z.string().max(500).exactOptional().describe('This asset and those below it.'),
      ...CURSOR_PAGE,
    }),
    run: async (query, { client, call }) => list(await client.ledger.assets.list(query, call).first()),
  }),
];
