/** The names of this domain. They stand in stored rows: renaming one is a data migration. */

export const DOMAIN = 'finra.otc_transparency';

/** The operation that ingests one weekly file, without its kind. */
export const INGEST_WEEK = 'finra.otc_transparency.ingest_week';

/** The source of the watermark: how far the weekly files of a tier have been read. */
export const WEEKLY_FILES = 'weekly_files';

/** Stages of a week's partition in the manifest, with their ranks. */
export const Stage = { INGESTED: { name: 'INGESTED', rank: 1 } } as const;

/** FINRA's groups of issues, which are published apart and at different delays. */
export const TIERS = ['OTC', 'NMS_TIER_1', 'NMS_TIER_2'] as const;
export type Tier = (typeof TIERS)[number];

/** The columns of a weekly file, in order. */
export const COLUMNS = [
  'tierDescription',
  'issueSymbolIdentifier',
  'issueName',
  'marketParticipantName',
  'MPID',
  'totalWeeklyShareQuantity',
  'totalWeeklyTradeCount',
  'lastUpdateDate',
] as const;
export type Column = (typeof COLUMNS)[number];

export const DELIMITER = '|';

/** Why a row is refused; the first rule it breaks, in this order. */
export const RejectReason = {
  WRONG_FIELD_COUNT: 'WRONG_FIELD_COUNT',
  /** A control character, or bytes that are not UTF-8, or an MPID out of form. */
  INVALID_TEXT: 'INVALID_TEXT',
  NULL_FIELD: 'NULL_FIELD',
  UNKNOWN_TIER: 'UNKNOWN_TIER',
  /** A known tier, but not the one this file is ingested as. */
  TIER_MISMATCH: 'TIER_MISMATCH',
  INVALID_SYMBOL: 'INVALID_SYMBOL',
  INVALID_NUMBER: 'INVALID_NUMBER',
  INVALID_DATE: 'INVALID_DATE',
} as const;
export type RejectReason = (typeof RejectReason)[keyof typeof RejectReason];

/** As FINRA writes them; any other spelling is looked at more closely. */
const USUAL_SPELLINGS: ReadonlyMap<string, Tier> = new Map([
  ['OTC', 'OTC'],
  ['NMS Tier 1', 'NMS_TIER_1'],
  ['NMS Tier 2', 'NMS_TIER_2'],
]);

/** The tier a `tierDescription` names, in FINRA's spelling ('NMS Tier 1') or ours ('NMS_TIER_1'); null for any other. */
export function parseTier(description: string): Tier | null {
  const usual = USUAL_SPELLINGS.get(description);
  if (usual !== undefined) return usual;
  const spelling = description
    .trim()
    .toUpperCase()
    .replaceAll(/[ _-]+/g, '_');
  return TIERS.find((tier) => tier === spelling) ?? null;
}
