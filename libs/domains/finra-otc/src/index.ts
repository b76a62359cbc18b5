export type { IngestWeekResult } from './ingest-week.ts';
export * from './register.ts';
export { DOMAIN, INGEST_WEEK, RejectReason, TIERS, type Tier } from './vocabulary.ts';
