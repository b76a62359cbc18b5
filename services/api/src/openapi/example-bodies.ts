/** Bodies that say more than the least a schema asks for, by operation id. Each is held against its schema by a test. */

const RUN_FILTER = { kind: 'task', name: 'echo', since: '2026-01-30T00:00:00Z' };
const SCHEDULE = {
  name: 'nightly load',
  schedule_type: 'cron',
  cron_expression: '0 6 * * 1-5',
  timezone: 'America/New_York',
  target_type: 'operation',
  target_name: 'etl_stub',
  params: { records: 100 },
};
const TRIGGER = {
  name: 'file-arrived',
  source: { type: 'file', folder: 'incoming', pattern: '*.csv' },
  target_type: 'task',
  target_name: 'echo',
};

export const REQUEST_EXAMPLES: Readonly<Record<string, unknown>> = {
  cancelRun: { reason: 'submitted twice by mistake' },
  cancelRuns: { filter: RUN_FILTER, dry_run: true },
  replayDeadLetters: { filter: { handler: 'task:fail' }, dry_run: true },
  resolveAnomaly: { note: 'a holiday week', resolved_by: 'data desk' },
  resolveDeadLetter: { note: 'mended by hand', resolved_by: 'data desk' },
  resolveDeadLetters: { filter: { handler: 'task:fail' }, dry_run: true },
  retryRuns: { filter: RUN_FILTER, dry_run: true },
  approveStep: { by: 'data desk', comment: 'the figures are right' },
  certify: {
    domain: 'finra.otc_transparency',
    workflow: 'weekly',
    partition_key: { week_ending: '2026-01-30', tier: 'OTC' },
    ready_for: 'publication',
  },
  closeBreaker: { note: 'the vendor answers again' },
  createBackfill: {
    domain: 'finra.otc_transparency',
    source: 'finra_otc_weekly',
    reason: 'GAP',
    partition_keys: [{ week_ending: '2026-01-30', tier: 'OTC' }],
    run: {
      kind: 'operation',
      name: 'finra.otc_transparency.ingest_week',
      params: { file_path: 'finra.csv' },
    },
  },
  createKey: { name: 'nightly loader', scopes: ['read', 'submit'], namespace: 'loaders' },
  openBreaker: { seconds: 600, note: 'maintenance of the vendor' },
  pauseLane: { by: 'data desk', note: 'maintenance' },
  publishEvent: { type: 'user.file_arrived', data: { file: 'weekly.csv' } },
  backfillSchedule: { from: '2026-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z', dry_run: true },
  runExample: { name: 'hello' },
  signalRun: { name: 'file_arrived', data: { file: 'weekly.csv' } },
  vacuum: { table: 'runs' },
  previewSchedule: {
    schedule_type: 'cron',
    cron_expression: '0 6 * * 1-5',
    timezone: 'America/New_York',
    count: 3,
  },
  createSchedule: SCHEDULE,
  replaceSchedule: SCHEDULE,
  createTrigger: TRIGGER,
  replaceTrigger: TRIGGER,
};

/** Of answers that are not JSON, by media type. */
export const TEXT_EXAMPLES: Readonly<Record<string, string>> = {
  'text/plain': 'text',
  'text/yaml': 'apiVersion: spine.io/v1\nkind: Workflow\n',
  'image/svg+xml': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'text/event-stream': 'id: 42\nevent: completed\ndata: {"event_type":"completed"}\n\n',
};
