import { describe, expect, it } from 'vitest';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import { formatLintReport, lintWorkflow } from './lint.ts';
import type { LintOptions, LintRule } from './lint.ts';
import { BUILT_IN_RULES } from './rules.ts';

const operation = (name: string, more: object = {}): Step => ({
  kind: 'operation',
  name,
  handler: `test.${name}`,
  timeoutSeconds: 60,
  ...more,
});
const parallel = (steps: readonly Step[], more: Partial<WorkflowInput> = {}): WorkflowInput => ({
  name: 'linted',
  steps,
  policy: { mode: 'parallel', onFailure: { kind: 'operation', handler: 'ops.tell' } },
  ...more,
});
const found = (workflow: WorkflowInput, options: LintOptions = {}): string[] =>
  lintWorkflow(workflow, options).diagnostics.map(({ code, field }) => `${code} ${field}`);

const clean = parallel([
  operation('fetch'),
  operation('store', { dependsOn: ['fetch'], params: { rows: '{{ steps.fetch.output.rows }}' } }),
]);

describe('the linter', () => {
  it('has nothing to say about a careful workflow', () => {
    expect(lintWorkflow(clean)).toMatchObject({ diagnostics: [], passed: true });
  });

  it('tells what cannot be defined as errors, by field', () => {
    const report = lintWorkflow(
      parallel([operation('a', { dependsOn: ['b'] }), operation('b', { dependsOn: ['a'] })]),
    );
    expect(report.passed).toBe(false);
    expect(report.diagnostics[0]).toMatchObject({
      code: 'E001',
      severity: 'error',
      field: expect.stringMatching(/^steps\[[01]\]\.depends_on$/) as string,
    });
    expect(found(clean, { lookups: { hasHandler: (_, handler) => handler !== 'ops.tell' } })).toEqual([
      'E001 policy.on_failure.handler',
    ]);
  });

  const choice = (more: object): Step => ({
    kind: 'choice',
    name: 'choose',
    routes: [{ condition: 'params.n > 1', thenStep: 'left' }],
    elseStep: 'right',
    ...more,
  });
  const branches = [operation('left'), operation('right')];
  const map = (more: object): Step => ({
    kind: 'map',
    name: 'each',
    items: 'params.rows',
    iterator: [{ name: 'load', kind: 'operation', handler: 'test.load', timeoutSeconds: 5 }],
    ...more,
  });

  it.each<readonly [string, WorkflowInput, LintOptions, readonly string[]]>([
    [
      'W001: a condition that never holds',
      parallel([operation('a', { when: ' false ' })]),
      {},
      ['W001 steps[0].when'],
    ],
    [
      'W001: a route behind its like',
      parallel([
        choice({
          routes: [
            ...[1, 2].map(() => ({ condition: 'params.n > 1', thenStep: 'left' })),
            { condition: 'false', thenStep: 'right' },
          ],
        }),
        ...branches,
      ]),
      {},
      ['W001 steps[0].routes[1]', 'W001 steps[0].routes[2]'],
    ],
    ['W002: no time-out', parallel([operation('a', { timeoutSeconds: undefined })]), {}, ['W002 steps[0]']],
    [
      'W002: not where the workflow has one',
      parallel([operation('a', { timeoutSeconds: undefined })], {
        policy: { timeoutSeconds: 60, onFailure: { kind: 'lambda', handler: 'tell' } },
      }),
      {},
      [],
    ],
    [
      'W002: a signal for which it waits for ever, and a stage of a map',
      parallel([
        { kind: 'wait', name: 'go', wait: { signal: 'go' } },
        map({ iterator: [{ name: 'load', kind: 'operation', handler: 'test.load' }] }),
      ]),
      {},
      ['W002 steps[0].wait', 'W002 steps[1].iterator[0]'],
    ],
    [
      'W003: what must not be done twice is retried',
      parallel([
        operation('pay', { retry: { maxRetries: 2 } }),
        operation('book', { onError: 'retry' }),
        operation('mail'),
      ]),
      { isIdempotent: () => false },
      ['W003 steps[0]', 'W003 steps[1]'],
    ],
    [
      'W003: unless nobody knows, or the policy tries once',
      parallel([operation('pay', { retry: { maxRetries: 0 } }), operation('book', { onError: 'retry' })]),
      { isIdempotent: (_, handler) => (handler === 'test.pay' ? false : undefined) },
      [],
    ],
    [
      'W004: an output that nobody reads',
      parallel(
        [operation('a'), operation('b', { dependsOn: ['a'] }), operation('b-c', { dependsOn: ['a'] })],
        {
          outputs: { n: '{{ steps.b-c.output.n }}', m: "{{ steps['a'].output.m }}" },
        },
      ),
      {},
      ['W004 steps[1]'],
    ],
    [
      'W005: many at once',
      parallel(
        [
          operation('first'),
          ...Array.from({ length: 11 }, (_, n) => operation(`next_${n}`, { dependsOn: ['first'] })),
        ],
        {
          outputs: {},
        },
      ),
      { ignore: ['W004'] },
      ['W005 steps[0]'],
    ],
    [
      'W005: many roots',
      parallel(Array.from({ length: 11 }, (_, n) => operation(`root_${n}`))),
      {},
      ['W005 policy.max_concurrency'],
    ],
    ['W005: a wide map', parallel([map({ maxConcurrency: 500 })]), {}, ['W005 steps[0].max_concurrency']],
    ['W006: nobody is told', parallel([operation('a')], { policy: {} }), {}, ['W006 policy.on_failure']],
    [
      'W006: unless it is undone',
      parallel([operation('a', { compensate: { kind: 'lambda', handler: 'undo' } })], { policy: {} }),
      {},
      [],
    ],
    [
      'W007: no else',
      parallel([choice({ elseStep: undefined }), operation('left')]),
      {},
      ['W007 steps[0].else_step'],
    ],
    [
      'W008: a long chain',
      {
        ...clean,
        policy: { onFailure: { kind: 'lambda', handler: 'tell' } },
        steps: Array.from({ length: 26 }, (_, n) => operation(`s${n}`)),
      },
      { ignore: ['W004'] },
      ['W008 steps'],
    ],
    [
      'W009: names alike, but not numbered ones',
      parallel([
        operation('Fetch'),
        operation('fetch'),
        operation('fetsh'),
        operation('load_1'),
        operation('load_2'),
      ]),
      {},
      ['W009 steps[1].name', 'W009 steps[2].name'],
    ],
    [
      'W010: a handler without a domain',
      parallel([operation('a', { handler: 'fetch' })]),
      {},
      ['W010 steps[0]'],
    ],
    [
      'W011: anybody may approve',
      parallel([{ kind: 'approval', name: 'ok', approvers: [] }]),
      {},
      ['W011 steps[0].approvers'],
    ],
    [
      'W012: undoing a wait',
      parallel([
        {
          kind: 'wait',
          name: 'w',
          wait: { durationSeconds: 1 },
          compensate: { kind: 'lambda', handler: 'undo' },
        },
      ]),
      {},
      ['W012 steps[0].compensate'],
    ],
  ])('%s', (_what, workflow, options, expected) => {
    expect(found(workflow, options)).toEqual(expected);
  });

  it('takes rules of the house, and survives a broken one', () => {
    const owner: LintRule = {
      code: 'H001',
      severity: 'warning',
      title: 'No domain owns it.',
      check: ({ workflow }) =>
        workflow.domain === undefined ? [{ field: 'domain', message: 'nobody owns it' }] : [],
    };
    const broken: LintRule = {
      ...owner,
      code: 'H002',
      check: () => {
        throw new Error('oops');
      },
    };
    const report = lintWorkflow(clean, { rules: [owner, broken] });
    expect(report.diagnostics.map(({ code }) => code)).toEqual(['E002', 'H001']);
    expect(formatLintReport(report)).toBe(
      'error E002 linted: rule H002 has failed: oops\nwarning H001 domain: nobody owns it\n1 errors, 1 warnings, 0 infos',
    );
    expect(() => lintWorkflow(clean, { rules: [{ ...owner, code: 'W001' }] })).toThrow(
      'the code of another rule',
    );
    expect(() => lintWorkflow(clean, { rules: [{ ...owner, code: 'house rule' }] })).toThrow('is no code');
  });

  it('says of each rule what it looks for', () => {
    expect(new Set(BUILT_IN_RULES.map(({ code }) => code)).size).toBe(BUILT_IN_RULES.length);
    for (const { title } of BUILT_IN_RULES) expect(title).toMatch(/^[A-Z].*\.$/);
  });
});
