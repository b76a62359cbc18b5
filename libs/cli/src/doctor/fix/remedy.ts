/** What the doctor can put right itself. Pure. */
import type { Finding, FindingId, Severity } from '../finding.ts';

/** In the order in which they are carried out: what a later one works on, an earlier one has made. */
export const REMEDIES = [
  'create_database',
  'migrate',
  'keep_redis_keys',
  'take_runs_back',
  'remove_left_places',
] as const;
export type Remedy = (typeof REMEDIES)[number];

/** What is asked before it is done. */
export const REMEDY_QUESTIONS: Readonly<Record<Remedy, string>> = {
  create_database: 'Create the database, its schema, and the tables of the queue?',
  migrate: 'Apply the pending migrations?',
  keep_redis_keys: 'Set maxmemory-policy of Redis to noeviction?',
  take_runs_back: 'Take the runs back that workers hold which are gone?',
  remove_left_places: 'Remove the places that are left under concurrency keys?',
};

const BAD: ReadonlySet<Severity> = new Set(['warning', 'error']);

const REMEDY_OF: Readonly<Partial<Record<FindingId, (finding: Finding) => Remedy | null>>> = {
  database_reachable: ({ measured }) => (measured['exists'] === false ? 'create_database' : null),
  // Edited migrations and unknown ones need somebody who knows why.
  database_migrations: ({ measured }) => (Array.isArray(measured['pending']) ? 'migrate' : null),
  redis_policy: () => 'keep_redis_keys',
  work_leases: () => 'take_runs_back',
  work_holds: () => 'remove_left_places',
};

/**
 * What the doctor would do about a finding; null where it needs a person. Only what takes nothing from anybody: no lane is
 * resumed that somebody has paused, no dead letter replayed, no right given, nobody's transaction ended.
 */
export function remedyOf(finding: Finding): Remedy | null {
  return BAD.has(finding.severity) ? (REMEDY_OF[finding.id]?.(finding) ?? null) : null;
}

/** A remedy, and what it is for. */
export interface Proposal {
  readonly remedy: Remedy;
  readonly findings: readonly Finding[];
}

/** What can be done about the findings, each remedy once, in the order of {@link REMEDIES}. */
export function proposalsFor(findings: readonly Finding[]): Proposal[] {
  return REMEDIES.flatMap((remedy) => {
    const meant = findings.filter((finding) => remedyOf(finding) === remedy);
    return meant.length === 0 ? [] : [{ remedy, findings: meant }];
  });
}
