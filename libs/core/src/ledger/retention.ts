/** How long the tables of the data ledger are kept: which may lose old rows at all, and after how long at the earliest. */
import { ValidationError } from '../errors/permanent.ts';
import { truncateText } from '../text.ts';

export type RetentionRule =
  /** Rows may go once they are this old, and only where somebody asks for it. */
  | { readonly keep: 'at_least'; readonly minimumDays: number; readonly because: string }
  /** Nothing is ever deleted. */
  | { readonly keep: 'forever'; readonly because: string };

/**
 * Records of a broker-dealer are kept for six years (17 CFR 240.17a-4(a)): 6 x 365.25 days, rounded up.
 */
export const SEC_17A_4_DAYS = 2_192;

const SIX_YEARS = 'evidence of how figures came about: six years, SEC rule 17a-4';

/** The rule of each table of the ledger. `spine_purge_ledger` (migration 0011) enforces the same minimums by itself. */
export const LEDGER_RETENTION = {
  quality_results: { keep: 'at_least', minimumDays: SEC_17A_4_DAYS, because: SIX_YEARS },
  asset_materializations: { keep: 'at_least', minimumDays: SEC_17A_4_DAYS, because: SIX_YEARS },
  asset_observations: {
    keep: 'at_least',
    minimumDays: 180,
    because: 'half a year of checks to compare with',
  },
  work_items: {
    keep: 'at_least',
    minimumDays: 30,
    because: 'a month in which finished work can be looked up',
  },
  rejects: { keep: 'forever', because: 'a refused row is evidence, and work that can be done again' },
  reject_repairs: { keep: 'forever', because: 'says what became of a reject' },
  anomalies: { keep: 'forever', because: 'resolved, never deleted' },
  bitemporal_facts: { keep: 'forever', because: 'what was believed once can be asked for at any time' },
  manifest: { keep: 'forever', because: 'where a partition stands, not a history' },
  watermarks: { keep: 'forever', because: 'how far a source was read, not a history' },
  backfills: { keep: 'forever', because: 'why partitions were done again' },
  assets: { keep: 'forever', because: 'what the data is called' },
} as const satisfies Readonly<Record<string, RetentionRule>>;

export type LedgerTable = keyof typeof LEDGER_RETENTION;
export type PurgeableTable = {
  [T in LedgerTable]: (typeof LEDGER_RETENTION)[T]['keep'] extends 'at_least' ? T : never;
}[LedgerTable];

export const LEDGER_TABLES = Object.keys(LEDGER_RETENTION) as readonly LedgerTable[];
export const PURGEABLE_TABLES = LEDGER_TABLES.filter(isPurgeable);

/** The longest period: a hundred years. */
export const MAX_RETENTION_DAYS = 36_500;

/** After how many days rows of a table are deleted. What is not named is kept. */
export type RetentionPolicy = ReadonlyMap<PurgeableTable, number>;

/** A period is shorter than the rule of its table allows, or its table is never deleted from. */
export class RetentionPolicyError extends ValidationError {}

export function isPurgeable(table: string): table is PurgeableTable {
  return ruleOf(table)?.keep === 'at_least';
}

/** The rule of a table, or null for one that is not of the ledger. */
export function ruleOf(table: string): RetentionRule | null {
  return Object.hasOwn(LEDGER_RETENTION, table) ? LEDGER_RETENTION[table as LedgerTable] : null;
}

/**
 * The table and its period, checked.
 *
 * @throws RetentionPolicyError for a table that is kept forever and for a period under its minimum; ValidationError for
 * what is no table of the ledger or no number of days.
 */
export function checkRetention(
  table: string,
  days: number,
  fields: { readonly table: string; readonly days: string } = { table: 'table', days: 'older_than_days' },
): PurgeableTable {
  const rule = ruleOf(table);
  if (rule === null) {
    const given = JSON.stringify(truncateText(table, 80));
    throw refusal(
      ValidationError,
      fields.table,
      'unknown_table',
      `given ${given}; allowed: ${PURGEABLE_TABLES.join(', ')}`,
    );
  }
  if (rule.keep === 'forever' || !isPurgeable(table)) {
    throw refusal(
      RetentionPolicyError,
      fields.table,
      'kept_forever',
      `${table} is kept forever: ${rule.because}`,
    );
  }
  if (!Number.isInteger(days) || days > MAX_RETENTION_DAYS) {
    const message = `given ${days}; allowed: whole days from ${rule.minimumDays} to ${MAX_RETENTION_DAYS}`;
    throw refusal(ValidationError, fields.days, 'invalid_days', message);
  }
  if (days < rule.minimumDays) {
    const message = `given ${days} days for ${table}; allowed: ${rule.minimumDays} or more (${rule.because})`;
    throw refusal(RetentionPolicyError, fields.days, 'under_minimum', message);
  }
  return table;
}

/**
 * A policy from text: `quality_results=2557,work_items=90`. Empty text keeps everything.
 *
 * @throws as {@link checkRetention}, and ValidationError for text of another form or a table named twice.
 */
export function parseRetentionPolicy(text: string, field = 'retention'): RetentionPolicy {
  const policy = new Map<PurgeableTable, number>();
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  for (const part of parts) {
    const [, table = '', days = ''] = /^([a-z_]{1,63})=(\d{1,5})$/.exec(part) ?? [];
    if (table === '') {
      const given = JSON.stringify(truncateText(part, 80));
      throw refusal(ValidationError, field, 'invalid_format', `given ${given}; allowed: table=days`);
    }
    const known = checkRetention(table, Number(days), { table: field, days: field });
    if (policy.has(known)) throw refusal(ValidationError, field, 'repeated', `names ${table} twice`);
    policy.set(known, Number(days));
  }
  return policy;
}

function refusal(
  error: typeof ValidationError,
  field: string,
  code: string,
  message: string,
): ValidationError {
  return new error(`${field}: ${message}`, { issues: [{ field, code, message }] });
}
