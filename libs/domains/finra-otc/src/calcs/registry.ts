import { CalcVersions } from './calc-versions.ts';

/**
 * The calculations of this domain and every version they ever had. An entry is never removed: to retire one, say in
 * `deprecated` why and what takes its place.
 */
export const CALCS = new CalcVersions({
  normalize: [{ version: 'v1' }],
  symbol_summary: [{ version: 'v1' }],
  venue_share: [{ version: 'v1' }],
  venue_concentration: [{ version: 'v1' }],
  volume_per_day: [{ version: 'v1' }],
  liquidity_score: [{ version: 'v1' }],
  rolling: [
    {
      version: 'v1',
      deprecated: 'its trend compares two single weeks, which one unusual week turns around; use v2',
    },
    { version: 'v2' },
  ],
  tier_volume_share: [{ version: 'v1' }],
});
export type CalcName = Parameters<typeof CALCS.current>[0];
