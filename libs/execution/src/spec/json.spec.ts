import { describe, expect, it } from 'vitest';
import { workSpecFromJson, workSpecJson } from './json.ts';
import { LIMITS } from './limits.ts';

const minimal = { kind: 'task', name: 'echo' };

/** The fields with issues; none when the body is accepted. */
function issuesOf(body: unknown): string[] {
  const parsed = workSpecJson.safeParse(body);
  return parsed.success ? [] : [...new Set(parsed.error.issues.map((issue) => String(issue.path[0] ?? '')))];
}

const accepts = (more: object): boolean => issuesOf({ ...minimal, ...more }).length === 0;

describe('a WorkSpec body', () => {
  it('needs a kind and a name', () => {
    expect(issuesOf(minimal)).toEqual([]);
    expect(issuesOf({})).toEqual(['kind', 'name']);
    expect(issuesOf({ ...minimal, kind: 'job' })).toEqual(['kind']);
    for (const body of [null, [], 'text', 7]) expect(issuesOf(body)).toEqual(['']);
  });

  it('is refused for a field it does not have: a misspelt option, an engine column', () => {
    for (const field of ['maxRetries', 'max_retrys', 'epoch', 'status', 'run_id', 'retry_of_run_id']) {
      const parsed = workSpecJson.safeParse({ ...minimal, [field]: 1 });
      expect(parsed.error?.issues).toMatchObject([{ code: 'unrecognized_keys', keys: [field] }]);
    }
  });

  it('leaves out what it does not say', () => {
    expect(workSpecFromJson(workSpecJson.parse(minimal))).toEqual(minimal);
    expect(Object.keys(workSpecFromJson({ kind: 'task', name: 'echo', lane: undefined }))).toEqual([
      'kind',
      'name',
    ]);
  });

  it('becomes a spec, field by field', () => {
    const body = {
      kind: 'operation',
      name: 'finra.otc_transparency.ingest_week',
      params: { a: [1, null] },
      idempotency_key: 'k',
      correlation_id: 'c',
      priority: 'high',
      lane: 'backfill',
      parent_run_id: '01890a5d-ac96-774b-bcce-b302099a8057',
      trigger_source: 'cli:me',
      metadata: { m: 1 },
      tags: ['t'],
      max_retries: 0,
      retry_delay_seconds: 0.5,
      timeout_seconds: 1.5,
      run_after: '2026-01-02T03:04:05+02:00',
      dead_letter: false,
    };
    expect(workSpecFromJson(workSpecJson.parse(body))).toEqual({
      kind: 'operation',
      name: 'finra.otc_transparency.ingest_week',
      params: { a: [1, null] },
      idempotencyKey: 'k',
      correlationId: 'c',
      priority: 'high',
      lane: 'backfill',
      parentRunId: '01890a5d-ac96-774b-bcce-b302099a8057',
      triggerSource: 'cli:me',
      metadata: { m: 1 },
      tags: ['t'],
      maxRetries: 0,
      retryDelaySeconds: 0.5,
      timeoutSeconds: 1.5,
      runAfter: new Date('2026-01-02T01:04:05Z'),
      deadLetter: false,
    });
  });
});

describe('bounds', () => {
  const text = (length: number): string => 'x'.repeat(length);

  it.each<[string, readonly unknown[], readonly unknown[]]>([
    ['name', ['a', `A${text(199)}`, 'a.b-c_1'], ['', '1a', `A${text(200)}`, 'a b', 'a:b', 'a\n', 7]],
    ['lane', ['a', `a${text(62)}`, 'slow-2_x'], ['', 'A', 'a.b', `a${text(63)}`, 'a\n', '-']],
    ['trigger_source', ['a', `a${text(99)}`, 'cli:x.y-z_1'], ['', 'A', `a${text(100)}`, 'a b']],
    ['idempotency_key', ['k', text(LIMITS.keyLength)], ['', text(LIMITS.keyLength + 1), 1, null]],
    ['correlation_id', ['k', text(LIMITS.keyLength)], ['', text(LIMITS.keyLength + 1), null]],
    ['priority', ['realtime', 'high', 'normal', 'low', 'slow'], ['urgent', 0, null]],
    ['parent_run_id', ['01890a5d-ac96-774b-bcce-b302099a8057'], ['', 'x', '01890a5d', null]],
    ['params', [{}, { a: { b: [] } }], [[], null, 'text', 1]],
    ['metadata', [{}, { a: 1 }], [[], null, 'text']],
    [
      'tags',
      [[], Array(LIMITS.tags).fill('t'), [text(LIMITS.tagLength)]],
      [Array(LIMITS.tags + 1).fill('t'), [''], [text(LIMITS.tagLength + 1)], [1], 't'],
    ],
    ['max_retries', [0, LIMITS.maxRetries], [-1, LIMITS.maxRetries + 1, 1.5, '3', null]],
    [
      'retry_delay_seconds',
      [0, 0.25, LIMITS.retryDelaySeconds],
      [-0.1, LIMITS.retryDelaySeconds + 1, NaN, Infinity, '5'],
    ],
    ['timeout_seconds', [0.001, LIMITS.timeoutSeconds], [0, 0.0009, LIMITS.timeoutSeconds + 1, Infinity, -1]],
    ['dead_letter', [true, false], ['true', 1, null]],
    [
      'run_after',
      ['1970-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-06-01T00:00:00+05:30'],
      [
        '2026-06-01',
        '2026-06-01T00:00:00',
        '1969-12-31T23:59:59Z',
        '9999-12-31T23:59:59-01:00',
        '2026-02-30T00:00:00Z',
        0,
        'soon',
      ],
    ],
  ])('of %s', (field, good, bad) => {
    for (const value of good) expect([value, issuesOf({ ...minimal, [field]: value })]).toEqual([value, []]);
    for (const value of bad) {
      expect([value, issuesOf({ ...minimal, [field]: value })]).toEqual([value, [field]]);
    }
  });

  it('passes over nothing silently: null is a value, and not the default', () => {
    expect(accepts({ lane: null })).toBe(false);
    expect(accepts({ run_after: null })).toBe(false);
  });
});
