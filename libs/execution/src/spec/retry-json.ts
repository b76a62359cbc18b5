/** The JSON of a retry policy, as a WorkSpec carries it and `runs.retry_policy` keeps it. */
import { z } from 'zod';
import { ERROR_CATEGORIES, present } from '@spine/core';
import { RETRY_STRATEGIES } from '../policy/retry-policy.ts';
import type { RetryPolicy, RetryRule } from '../policy/retry-policy.ts';
import { LIMITS } from './limits.ts';

const seconds = z.number().min(0).max(LIMITS.retryDelaySeconds);

const retryRuleJson = z
  .strictObject({
    category: z.enum(ERROR_CATEGORIES).optional(),
    error_type: z.string().min(1).max(200).optional().describe('Class name of the error.'),
    retry: z.boolean().describe('Whether such an error is worth another attempt.'),
    delay_seconds: seconds.optional().describe('Waits this long instead of what the strategy says.'),
  })
  .refine((rule) => rule.category !== undefined || rule.error_type !== undefined, {
    message: 'must name a category, an error_type or both',
  });

export const retryPolicyJson = z
  .strictObject({
    strategy: z.enum(RETRY_STRATEGIES).optional().describe('Default exponential.'),
    max_retries: z
      .int()
      .min(0)
      .max(LIMITS.maxRetries)
      .optional()
      .describe('Further attempts. Not together with the spec’s own max_retries.'),
    base_delay_seconds: seconds.optional().describe('Default: the spec’s retry_delay_seconds.'),
    max_delay_seconds: seconds.optional().describe('Default 3600.'),
    factor: z.number().min(1).max(100).optional().describe('Of the exponential strategy. Default 2.'),
    jitter: z.boolean().optional().describe('Spreads waits over half to all of their length. Default true.'),
    rules: z
      .array(retryRuleJson)
      .max(20)
      .optional()
      .describe('By error category or type; the first that matches decides.'),
  })
  .meta({ id: 'RetryPolicy', description: 'How often and after which wait a failed attempt is made again.' });

export type RetryPolicyJson = z.infer<typeof retryPolicyJson>;

export function retryPolicyFromJson(json: RetryPolicyJson): RetryPolicy {
  return present({
    strategy: json.strategy,
    maxRetries: json.max_retries,
    baseDelaySeconds: json.base_delay_seconds,
    maxDelaySeconds: json.max_delay_seconds,
    factor: json.factor,
    jitter: json.jitter,
    rules: json.rules?.map((rule): RetryRule =>
      present({
        category: rule.category,
        errorType: rule.error_type,
        retry: rule.retry,
        delaySeconds: rule.delay_seconds,
      }),
    ),
  });
}

export function toRetryPolicyJson(policy: RetryPolicy): RetryPolicyJson {
  return present({
    strategy: policy.strategy,
    max_retries: policy.maxRetries,
    base_delay_seconds: policy.baseDelaySeconds,
    max_delay_seconds: policy.maxDelaySeconds,
    factor: policy.factor,
    jitter: policy.jitter,
    rules: policy.rules?.map((rule) =>
      present({
        category: rule.category,
        error_type: rule.errorType,
        retry: rule.retry,
        delay_seconds: rule.delaySeconds,
      }),
    ),
  });
}

/** What `runs.retry_policy` holds; null for none, and for what a later release wrote and this one cannot read. */
export function storedRetryPolicy(value: unknown): RetryPolicy | null {
  if (value === null || value === undefined) return null;
  const parsed = retryPolicyJson.safeParse(value);
  return parsed.success ? retryPolicyFromJson(parsed.data) : null;
}
