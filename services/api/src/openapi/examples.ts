/** Bodies to try in the documentation's page. */
export const WORK_SPEC_EXAMPLES = {
  echo: {
    summary: 'The smallest run',
    value: { kind: 'task', name: 'echo', params: { hello: 'world' } },
  },
  idempotent: {
    summary: 'Submitted twice, run once',
    value: { kind: 'task', name: 'add', params: { a: 2, b: 3 }, idempotency_key: 'add-2-3' },
  },
  options: {
    summary: 'With options',
    value: {
      kind: 'operation',
      name: 'etl_stub',
      params: { records: 1000 },
      priority: 'high',
      lane: 'backfill',
      tags: ['demo'],
      correlation_id: 'nightly-2026-01-31',
      max_retries: 2,
      timeout_seconds: 600,
    },
  },
  ingest: {
    summary: 'Ingest a FINRA weekly file',
    value: {
      kind: 'operation',
      name: 'finra.otc_transparency.ingest_week',
      params: { file_path: 'finra_otc_weekly_otc_20251215.csv' },
    },
  },
} as const;

export const BATCH_EXAMPLES = {
  two: {
    summary: 'Two runs',
    value: {
      runs: [
        { kind: 'task', name: 'echo', params: { n: 1 } },
        { kind: 'task', name: 'echo', params: { n: 2 } },
      ],
    },
  },
} as const;
