import { parseTier, TIERS } from './vocabulary.ts';
import type { Tier } from './vocabulary.ts';

/** What people and other systems call the tiers, beside FINRA's names and ours; compared without spaces, dashes, case. */
const ALIASES: Readonly<Record<string, Tier>> = {
  OTC_EQUITY: 'OTC',
  OTCE: 'OTC',
  TIER_1: 'NMS_TIER_1',
  TIER1: 'NMS_TIER_1',
  T1: 'NMS_TIER_1',
  NMS_T1: 'NMS_TIER_1',
  NMS_TIER1: 'NMS_TIER_1',
  TIER_2: 'NMS_TIER_2',
  TIER2: 'NMS_TIER_2',
  T2: 'NMS_TIER_2',
  NMS_T2: 'NMS_TIER_2',
  NMS_TIER2: 'NMS_TIER_2',
};

/** The tier that a name or an alias means; null for any other text. */
export function tierOf(name: string): Tier | null {
  const spelling = name
    .trim()
    .toUpperCase()
    .replaceAll(/[ _-]+/g, '_');
  return parseTier(name) ?? (Object.hasOwn(ALIASES, spelling) ? (ALIASES[spelling] ?? null) : null);
}

/** What {@link tierOf} takes, for messages. */
export const TIER_NAMES = `${TIERS.join(', ')}, or an alias such as 'NMS Tier 1' or T1`;
