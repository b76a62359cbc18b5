import { describe, expect, it } from 'vitest';
import type { DeadLetter, RunEvent, RunRecord } from '@spine/database';
import {
  deadLetterJson,
  runEventJson,
  runJson,
  toDeadLetterJson,
  toRunEventJson,
  toRunJson,
} from './records-json.ts';

const at = (seconds: number): Date => new Date(Date.UTC(2026, 0, 31, 12, 0, seconds));
const RUN_ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const WORKER_ID = '01890a5d-ac96-774b-bcce-b302099a8058';

const run: RunRecord = {
  runId: RUN_ID,
  kind: 'task',
  name: 'echo',
  lane: 'default',
  priority: 'high',
  status: 'running',
  params: { a: [1, null] },
  result: null,
  error: null,
  idempotencyKey: 'k',
  specHash: 'hash',
  correlationId: 'c',
  parentRunId: null,
  retryOfRunId: null,
  triggerSource: 'api',
  metadata: { team: 'data' },
  tags: ['t'],
  maxAttempts: 4,
  retryDelayMs: 1500,
  timeoutMs: 60_000,
  deadLetter: true,
  attempt: 1,
  crashCount: 0,
  epoch: 1,
  finishedEpoch: null,
  leaseOwner: WORKER_ID,
  leaseExpiresAt: at(30),
  deadlineAt: at(59),
  availableAt: at(0),
  createdAt: at(0),
  startedAt: at(1),
  completedAt: null,
  expiresAt: null,
  runDeadlineAt: null,
  singletonKey: null,
  retryPolicy: null,
  gates: null,
  paramsRef: null,
  namespace: null,
  submittedBy: null,
  traceContext: `00-${'4b'.repeat(16)}-${'a1'.repeat(8)}-01`,
  resultRef: null,
};

describe('the JSON of a run', () => {
  it('has every documented field, in the form its schema says', () => {
    const json = toRunJson(run);
    expect(runJson.parse(json)).toEqual(json);
    expect(Object.keys(json)).toEqual(Object.keys(runJson.shape));
    expect(json).toMatchObject({
      run_id: RUN_ID,
      trace_id: '4b'.repeat(16),
      retry_delay_seconds: 1.5,
      timeout_seconds: 60,
      started_at: '2026-01-31T12:00:01.000Z',
      completed_at: null,
      duration_ms: null,
      lease: {
        worker_id: WORKER_ID,
        expires_at: '2026-01-31T12:00:30.000Z',
        deadline_at: '2026-01-31T12:00:59.000Z',
      },
    });
  });

  it('has a duration once the run has started and ended, and then no lease', () => {
    const over = { ...run, leaseOwner: null, leaseExpiresAt: null, deadlineAt: null, completedAt: at(5) };
    expect(toRunJson(over)).toMatchObject({ duration_ms: 4_000, lease: null });
    expect(toRunJson({ ...over, startedAt: null })).toMatchObject({ duration_ms: null });
  });

  it('says what is not in it, and has a stand-in in its place', () => {
    const paramsRef = `pg:params:${'a'.repeat(64)}:7`;
    const resultRef = `file:result:2:${'b'.repeat(64)}:8`;
    const inRow = { $omitted: { bytes: 7, sha256: 'a'.repeat(64) } };
    expect(toRunJson({ ...run, params: inRow, paramsRef })).toMatchObject({
      params: inRow,
      omitted: ['params'],
    });
    expect(toRunJson({ ...run, result: null, resultRef })).toMatchObject({
      result: { $omitted: { bytes: 8, sha256: 'b'.repeat(64) } },
      omitted: ['result'],
    });
    expect(toRunJson(run).omitted).toEqual([]);
    // A run's own JSON that only looks like it.
    expect(toRunJson({ ...run, params: inRow })).toMatchObject({ params: inRow, omitted: [] });
  });

  it('has no trace where its submit had none', () => {
    expect(toRunJson({ ...run, traceContext: null }).trace_id).toBeNull();
  });

  it('keeps what only the engine needs to itself', () => {
    expect(JSON.stringify(toRunJson(run))).not.toMatch(/hash|finished|dispatch/);
  });
});

it('the JSON of an event has every documented field', () => {
  const event: RunEvent = {
    eventId: '7',
    runId: RUN_ID,
    epoch: 2,
    eventType: 'progress',
    terminal: false,
    timestamp: at(3),
    data: { fraction: 0.5 },
    source: 'worker:w',
  };
  const json = toRunEventJson(event);
  expect(runEventJson.parse(json)).toEqual(json);
  expect(json).toMatchObject({
    event_id: '7',
    event_type: 'progress',
    timestamp: '2026-01-31T12:00:03.000Z',
  });
});

it('the JSON of a dead letter has every documented field', () => {
  const letter: DeadLetter = {
    deadLetterId: WORKER_ID,
    runId: RUN_ID,
    kind: 'task',
    name: 'fail',
    lane: 'default',
    params: {},
    error: { message: 'no', type: 'SourceError', category: 'SOURCE', retryable: false, retry_after: null },
    errorCategory: 'SOURCE',
    attempts: 1,
    crashCount: 0,
    correlationId: null,
    createdAt: at(4),
    resolvedAt: at(9),
    resolution: 'replayed',
    resolvedBy: 'ops',
    note: null,
    replayRunId: RUN_ID,
    namespace: 'team-a',
  };
  const json = toDeadLetterJson(letter);
  expect(deadLetterJson.parse(json)).toEqual(json);
  expect(Object.keys(json)).toEqual(Object.keys(deadLetterJson.shape));
  expect(json).toMatchObject({ dead_letter_id: WORKER_ID, resolved_at: '2026-01-31T12:00:09.000Z' });
});
