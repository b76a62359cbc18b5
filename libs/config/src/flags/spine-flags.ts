/** The feature flags of Spine itself. */
import type { Environment } from '../settings-model.ts';
import { booleanFlag } from './definition.ts';
import { FeatureFlags } from './feature-flags.ts';

export const SPINE_FLAG_DEFINITIONS = {
  publish_events: booleanFlag(true, 'POST /events/publish takes events from clients.'),
} as const;

export type SpineFlags = FeatureFlags<typeof SPINE_FLAG_DEFINITIONS>;

/** @throws ConfigError for a `SPINE_FF_*` variable whose value the flag does not take. */
export function spineFlags(env: Environment = {}): SpineFlags {
  return new FeatureFlags(SPINE_FLAG_DEFINITIONS, env);
}
