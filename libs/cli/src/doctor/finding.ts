/** What a diagnosis is made of. */

/** From nothing to do to nothing works. */
export const SEVERITIES = ['ok', 'info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What can be looked at by itself. */
export const SUBJECTS = ['environment', 'database', 'redis', 'workers', 'schedulers', 'work', 'api'] as const;
export type Subject = (typeof SUBJECTS)[number];

/** Every finding there can be. Programs decide by these: one that was given out keeps its meaning. */
export const FINDING_IDS = [
  'check_failed',
  'node_version',
  'settings',
  'settings_warning',
  'settings_sources',
  'secret_files',
  'data_roots',
  'folders',
  'database_reachable',
  'database_version',
  'database_durability',
  'database_standby',
  'database_role',
  'database_clock',
  'database_migrations',
  'database_grants',
  'database_load',
  'database_transactions',
  'database_tables',
  'database_autovacuum',
  'database_indexes',
  'redis_reachable',
  'redis_version',
  'redis_policy',
  'redis_persistence',
  'redis_memory',
  'redis_latency',
  'redis_role',
  'redis_clock',
  'workers_live',
  'workers_silent',
  'workers_versions',
  'workers_unserved',
  'schedulers_live',
  'schedules_overdue',
  'work_leases',
  'work_waiting',
  'work_workflows',
  'work_holds',
  'work_dead_letters',
  'work_paused_lanes',
  'api_reachable',
  'api_dependencies',
  'api_key',
  'api_version',
] as const;
export type FindingId = (typeof FINDING_IDS)[number];

export type Measure = string | number | boolean | null | readonly string[];

export interface Finding {
  readonly id: FindingId;
  readonly subject: Subject;
  readonly severity: Severity;
  /** One sentence for people. */
  readonly message: string;
  /** What was looked at, for programs; snake_case names. */
  readonly measured: Readonly<Record<string, Measure>>;
  /** A command to run or a setting to change; null where there is nothing to do. */
  readonly fix: string | null;
}

type Made = Pick<Finding, 'message' | 'measured'>;

/** Makes the findings of one subject. */
export function findingsOf(subject: Subject): {
  ok(id: FindingId, made: Made): Finding;
  info(id: FindingId, made: Made, fix?: string): Finding;
  warning(id: FindingId, made: Made, fix: string): Finding;
  error(id: FindingId, made: Made, fix: string): Finding;
} {
  const finding =
    (severity: Severity) =>
    (id: FindingId, { message, measured }: Made, fix: string | null = null): Finding => ({
      id,
      subject,
      severity,
      message,
      measured,
      fix,
    });
  return { ok: finding('ok'), info: finding('info'), warning: finding('warning'), error: finding('error') };
}

/** The worst of them; ok of none. */
export function worstOf(findings: readonly Pick<Finding, 'severity'>[]): Severity {
  return SEVERITIES.findLast((each) => findings.some(({ severity }) => severity === each)) ?? 'ok';
}

/** `1 run`, `2 runs`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** At most so many, and how many more there are. */
export function some(values: readonly string[], limit = 5): string {
  const shown = values.slice(0, limit).join(', ');
  return values.length > limit ? `${shown} and ${values.length - limit} more` : shown;
}
