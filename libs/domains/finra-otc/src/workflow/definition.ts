/**
 * `finra.weekly_refresh`: a week of FINRA's files, from ingest to quality gates.
 *
 * plan -> for each file: ingest, normalize, aggregate, venue share, rolling -> share of tiers -> gates of the week.
 *
 * Every operation decides by the manifest whether it has anything to do. A run that is repeated, or that goes on after a
 * crash, therefore calculates nothing twice, and `force` calculates everything again.
 */
import { ErrorCategory } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { RetryPolicy } from '@spine/execution';
import type { IteratorStep, WorkflowInput } from '@spine/orchestration';
import { DEFAULT_REJECT_RATE } from '../operations/check-week.ts';
import {
  AGGREGATE_WEEK,
  CHECK_WEEK,
  COMPUTE_ROLLING,
  COMPUTE_TIER_VOLUME_SHARE,
  COMPUTE_VENUE_SHARE,
  NORMALIZE_WEEK,
} from '../operations/names.ts';
import { DOMAIN, INGEST_WEEK, TIERS } from '../vocabulary.ts';
import { COLLECT_TIERS, NOTE_FAILURE, PLAN_REFRESH, SUMMARIZE_TIER, WEEKLY_REFRESH } from './names.ts';

/** An error says itself whether it may pass. Data that are not good enough stay that way; a disk that is full takes a while. */
const RETRY: RetryPolicy = {
  strategy: 'exponential',
  maxRetries: 3,
  baseDelaySeconds: 2,
  maxDelaySeconds: 120,
  rules: [
    { category: ErrorCategory.DATA_QUALITY, retry: false },
    { category: ErrorCategory.RESOURCE, retry: true, delaySeconds: 60 },
  ],
};

const INGEST_SECONDS = 3_600;
const CALCULATE_SECONDS = 1_800;

const PLAN = '{{ steps.plan.output';

/** A calculation of the tier that the item's file was ingested as. */
function calculation(name: string, handler: string): IteratorStep {
  const params: JsonObject = {
    week_ending: '{{ stages.ingest.week_ending }}',
    tier: '{{ stages.ingest.tier }}',
    force: `${PLAN}.force }}`,
  };
  return { name, kind: 'operation', handler, params, timeoutSeconds: CALCULATE_SECONDS };
}

export const WEEKLY_REFRESH_WORKFLOW: WorkflowInput = {
  name: WEEKLY_REFRESH,
  domain: DOMAIN,
  description:
    "A week of FINRA's weekly files: ingest, normalize, aggregate, venue share and rolling for each tier, then the week's quality gates.",
  tags: ['finra', 'otc_transparency', 'weekly'],
  defaults: { tiers: [], files: [], force: false, force_week: false, max_reject_rate: DEFAULT_REJECT_RATE },
  policy: {
    mode: 'sequential',
    timeoutSeconds: 6 * 3_600,
    onError: 'retry',
    retry: RETRY,
    onFailure: { kind: 'lambda', handler: NOTE_FAILURE, params: { request: '{{ params }}' } },
  },
  steps: [
    { kind: 'lambda', name: 'plan', handler: PLAN_REFRESH, params: { request: '{{ params }}' } },
    {
      kind: 'map',
      name: 'tiers',
      items: `${PLAN}.files }}`,
      maxConcurrency: TIERS.length,
      iterator: [
        {
          name: 'ingest',
          kind: 'operation',
          handler: INGEST_WEEK,
          params: {
            file_path: '{{ item.file_path }}',
            week_ending: `${PLAN}.week_ending }}`,
            force: `${PLAN}.force_week }}`,
          },
          timeoutSeconds: INGEST_SECONDS,
        },
        calculation('normalize', NORMALIZE_WEEK),
        calculation('aggregate', AGGREGATE_WEEK),
        calculation('venue_share', COMPUTE_VENUE_SHARE),
        calculation('rolling', COMPUTE_ROLLING),
        {
          name: 'summary',
          kind: 'lambda',
          handler: SUMMARIZE_TIER,
          params: {
            ingest: '{{ stages.ingest }}',
            normalize: '{{ stages.normalize }}',
            aggregate: '{{ stages.aggregate }}',
            venue_share: '{{ stages.venue_share }}',
            rolling: '{{ stages.rolling }}',
          },
        },
      ],
    },
    {
      kind: 'lambda',
      name: 'collect',
      handler: COLLECT_TIERS,
      params: { items: '{{ steps.tiers.output.items }}' },
    },
    {
      kind: 'operation',
      name: 'tier_share',
      handler: COMPUTE_TIER_VOLUME_SHARE,
      params: { week_ending: `${PLAN}.week_ending }}`, force: `${PLAN}.force }}` },
      timeoutSeconds: CALCULATE_SECONDS,
    },
    {
      kind: 'operation',
      name: 'gates',
      handler: CHECK_WEEK,
      params: {
        week_ending: `${PLAN}.week_ending }}`,
        tiers: '{{ steps.collect.output.tiers }}',
        max_reject_rate: `${PLAN}.max_reject_rate }}`,
      },
      timeoutSeconds: CALCULATE_SECONDS,
    },
  ],
  outputs: {
    week_ending: `${PLAN}.week_ending }}`,
    tiers: '{{ steps.tiers.output.items }}',
    tier_share: '{{ steps.tier_share.output }}',
    gates: '{{ steps.gates.output }}',
    warnings: '{{ steps.collect.output.warnings }}',
  },
};
