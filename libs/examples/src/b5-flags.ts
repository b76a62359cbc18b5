/** The feature flags of B5. */
import { booleanFlag, FeatureFlags } from '@spine/config';
import type { FlagDefinition } from '@spine/config';

type BooleanFlag = Extract<FlagDefinition, { readonly type: 'boolean' }>;

const EXAMPLE_FLAG_DEFINITIONS: Readonly<Record<'use_new_parser' | 'enable_enrichment', BooleanFlag>> = {
  use_new_parser: booleanFlag(false, 'Parse with types instead of text.'),
  enable_enrichment: booleanFlag(true, 'Add figures about the record.'),
};

export type ExampleFlags = FeatureFlags<typeof EXAMPLE_FLAG_DEFINITIONS>;

/** Every flag at its fallback. */
export function exampleFlags(): ExampleFlags {
  return new FeatureFlags(EXAMPLE_FLAG_DEFINITIONS);
}
