import { describe, expect, it } from 'vitest';
import type { RunRecord } from '@spine/database';
import { LIMITS } from './limits.ts';
import { checkInstants, checkSizes, newRun, specOfRun } from './new-run.ts';
import { stepSpec, taskSpec } from './work-spec.ts';
import type { WorkSpec } from './work-spec.ts';

const spec: WorkSpec = { kind: 'task', name: 'echo', idempotencyKey: 'k', params: { a: 1, b: { c: 2 } } };
const hashOf = (more: Partial<WorkSpec> = {}): string | null => newRun({ ...spec, ...more }).specHash;

function runRecord(more: Partial<RunRecord> = {}): RunRecord {
  const { parentEpoch: _fence, runAfter: _when, deadlineMs: _limit, ...row } = newRun(taskSpec('echo'));
  const at = new Date('2026-01-01T00:00:00Z');
  return {
    ...row,
    params: {},
    metadata: {},
    status: 'failed',
    result: null,
    error: null,
    attempt: 1,
    crashCount: 0,
    epoch: 1,
    finishedEpoch: 1,
    leaseOwner: null,
    leaseExpiresAt: null,
    deadlineAt: null,
    availableAt: at,
    createdAt: at,
    startedAt: at,
    runDeadlineAt: null,
    resultRef: null,
    completedAt: at,
    ...more,
  };
}

describe('the row of a spec', () => {
  it('has the documented defaults, and an id of its own', () => {
    const run = newRun({ kind: 'task', name: 'echo' });
    expect(run).toMatchObject({
      kind: 'task',
      name: 'echo',
      lane: 'default',
      priority: 'normal',
      params: '{}',
      metadata: '{}',
      tags: [],
      idempotencyKey: null,
      specHash: null,
      correlationId: null,
      parentRunId: null,
      parentEpoch: null,
      retryOfRunId: null,
      triggerSource: 'api',
      maxAttempts: 4,
      retryDelayMs: 5_000,
      timeoutMs: 3_600_000,
      deadLetter: true,
      runAfter: null,
    });
    expect(newRun({ kind: 'task', name: 'echo' }).runId).not.toBe(run.runId);
  });

  it('leaves a step’s final failure to its workflow, unless told otherwise', () => {
    expect(newRun(stepSpec('load')).deadLetter).toBe(false);
    expect(newRun(stepSpec('load', {}, { deadLetter: true })).deadLetter).toBe(true);
    expect(newRun(taskSpec('load', {}, { deadLetter: false })).deadLetter).toBe(false);
  });

  it('counts in whole milliseconds, a time-out in at least one', () => {
    const run = newRun(
      taskSpec('x', {}, { retryDelaySeconds: 0.0014, timeoutSeconds: 0.0001, maxRetries: 0 }),
    );
    expect([run.retryDelayMs, run.timeoutMs, run.maxAttempts]).toEqual([1, 1, 1]);
  });
});

describe('the spec hash', () => {
  it('is the same whether a default is said or left out', () => {
    expect(
      hashOf({
        lane: 'default',
        priority: 'normal',
        maxRetries: 3,
        tags: [],
        metadata: {},
        deadLetter: true,
      }),
    ).toBe(hashOf());
    expect(hashOf({ lane: 'other' })).not.toBe(hashOf());
  });

  it('is the same for the same request: key order, an absent object and who asked do not matter', () => {
    expect(hashOf({ params: { b: { c: 2 }, a: 1 } })).toBe(hashOf());
    expect(
      hashOf({
        triggerSource: 'cli',
        correlationId: 'other',
        parentRunId: '01890a5d-ac96-774b-bcce-b302099a8057',
      }),
    ).toBe(hashOf());
    expect(newRun({ kind: 'task', name: 'x', idempotencyKey: 'k' }).specHash).toBe(
      newRun(taskSpec('x', {}, { idempotencyKey: 'k' })).specHash,
    );
  });

  it.each<[string, Partial<WorkSpec>]>([
    ['the kind', { kind: 'operation' }],
    ['the name', { name: 'add' }],
    ['params', { params: { a: 2, b: { c: 2 } } }],
    ['the type of a param', { params: { a: '1', b: { c: 2 } } }],
    ['the lane', { lane: 'slow' }],
    ['the priority', { priority: 'high' }],
    ['metadata', { metadata: { m: 1 } }],
    ['tags', { tags: ['t'] }],
    ['retries', { maxRetries: 1 }],
    ['the delay', { retryDelaySeconds: 1 }],
    ['the time-out', { timeoutSeconds: 1 }],
    ['the start', { runAfter: new Date('2026-01-01T00:00:00Z') }],
    ['the dead letter', { deadLetter: false }],
  ])('differs with %s', (_, more) => {
    expect(hashOf(more)).not.toBe(hashOf());
  });

  it('exists only with a key', () => {
    expect(hashOf()).toMatch(/^[0-9a-f]{64}$/);
    expect(newRun({ kind: 'task', name: 'echo', params: { a: 1 } }).specHash).toBeNull();
  });
});

describe('what a row can hold', () => {
  const withParams = (text: string) => newRun(taskSpec('echo', { text }));
  const overhead = JSON.stringify({ text: '' }).length;

  it('is measured in bytes of JSON', () => {
    expect(checkSizes(withParams('x'.repeat(LIMITS.payloadBytes - overhead)))).toEqual([]);
    expect(checkSizes(withParams('x'.repeat(LIMITS.payloadBytes - overhead + 1)))).toMatchObject([
      { field: 'params', code: 'too_large' },
    ]);
    // Three bytes each.
    expect(checkSizes(withParams('語'.repeat(LIMITS.payloadBytes / 3)))).toMatchObject([{ field: 'params' }]);
    expect(
      checkSizes(newRun(taskSpec('echo', {}, { metadata: { text: 'x'.repeat(LIMITS.metadataBytes) } }))),
    ).toMatchObject([
      { field: 'metadata', message: expect.stringContaining(String(LIMITS.metadataBytes)) as string },
    ]);
  });

  it('is an instant Postgres can store', () => {
    const check = (runAfter: Date) =>
      checkInstants(taskSpec('echo', {}, { runAfter })).map(({ field }) => field);
    expect(checkInstants(taskSpec('echo'))).toEqual([]);
    expect(check(new Date('2026-01-01T00:00:00Z'))).toEqual([]);
    expect(check(new Date(NaN))).toEqual(['run_after']);
    expect(check(new Date(-1))).toEqual(['run_after']);
    expect(check(new Date(8.64e15))).toEqual(['run_after']);
  });
});

describe('the spec of a run', () => {
  it('asks for the same work again, joined to it, without its key and its start', () => {
    const record = runRecord({
      params: { a: 1 },
      lane: 'slow',
      priority: 'high',
      idempotencyKey: 'k',
      specHash: 'h',
      metadata: { m: 1 },
      tags: ['t'],
      maxAttempts: 3,
      retryDelayMs: 1_500,
      timeoutMs: 2_500,
      deadLetter: false,
    });
    const again = newRun(specOfRun(record));
    expect(again).toMatchObject({
      kind: record.kind,
      name: record.name,
      params: '{"a":1}',
      lane: 'slow',
      priority: 'high',
      metadata: '{"m":1}',
      tags: ['t'],
      maxAttempts: 3,
      retryDelayMs: 1_500,
      timeoutMs: 2_500,
      deadLetter: false,
      idempotencyKey: null,
      runAfter: null,
      correlationId: record.runId,
    });
    expect(newRun(specOfRun(runRecord({ correlationId: 'c' }))).correlationId).toBe('c');
  });
});
