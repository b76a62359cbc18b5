/** Which rejects a replay is for; the operation and the HTTP endpoint ask with the same fields. */
import { z } from 'zod';
import { isStorableText, REASON_CODE } from '@spine/core';
import type { PartitionKey, RejectFilter } from '@spine/database';

/** The operation that judges rejects again, without its kind. */
export const REPLAY_REJECTS = 'ledger.replay_rejects';

/** Rejects that may be named one by one. */
const MOST_IDS = 1_000;

function text(maxLength: number) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .refine(isStorableText, 'must not contain NUL characters or lone surrogates');
}

export const partitionKeyJson = z
  .record(text(100), z.union([text(1_000), z.number(), z.boolean()]))
  .describe(
    'A partition, e.g. {"tier": "OTC", "week_ending": "2025-12-12"}; the order of keys does not matter.',
  );

/** Decimal digits, as ids of rejects are written. */
export const rejectIdJson = z.string().regex(/^[1-9]\d{0,14}$/, 'must be the id of a reject, in digits');

export const replaySelection = {
  domain: text(200),
  stage: text(64).optional().describe('Default: every stage of the domain whose rejects can be replayed.'),
  partition_key: partitionKeyJson.optional(),
  reason_code: z.string().regex(REASON_CODE).max(100).optional(),
  reject_ids: z.array(rejectIdJson).min(1).max(MOST_IDS).optional(),
  rule_version: text(100).optional().describe('Only rejects that this version of the rules has refused.'),
};

export const replayParams = z.strictObject(replaySelection);
export type ReplayParams = z.output<typeof replayParams>;

/** The same selection for the statements. */
export function replayFilter(
  params: ReplayParams,
): Omit<RejectFilter, 'open' | 'runId'> & { domain: string } {
  const { domain, stage, partition_key, reason_code, reject_ids, rule_version } = params;
  const partitionKey: PartitionKey | undefined = partition_key;
  return {
    domain,
    ...(stage === undefined ? {} : { stage }),
    ...(partitionKey === undefined ? {} : { partitionKey }),
    ...(reason_code === undefined ? {} : { reasonCode: reason_code }),
    ...(reject_ids === undefined ? {} : { rejectIds: reject_ids }),
    ...(rule_version === undefined ? {} : { ruleVersion: rule_version }),
  };
}
