import { describe, expect, it } from 'vitest';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import { dryRun, formatDryRun } from './dry-run.ts';
import { CostEstimators } from './estimators.ts';

const operation = (name: string, more: object = {}): Step => ({
  kind: 'operation',
  name,
  handler: `x.${name}`,
  ...more,
});
const parallel = (steps: readonly Step[], more: Partial<WorkflowInput> = {}): WorkflowInput => ({
  name: 'dry',
  steps,
  policy: { mode: 'parallel' },
  ...more,
});
const tenSeconds = (): CostEstimators =>
  new CostEstimators().forKind('operation', () => ({ seconds: 10, cost: '0.10' }));

const branching = parallel([
  operation('fetch', { params: { form: '{{ params.form }}' } }),
  {
    kind: 'choice',
    name: 'size',
    dependsOn: ['fetch'],
    routes: [{ condition: 'params.rows > 100', thenStep: 'split' }],
    elseStep: 'single',
  },
  operation('split'),
  operation('after_split', { dependsOn: ['split'] }),
  operation('single'),
  operation('audit', { dependsOn: ['fetch'], when: 'params.audit' }),
  operation('join', { dependsOn: ['after_split', 'single'] }),
]);
const forecasts = (params: object): Record<string, string> =>
  Object.fromEntries(
    dryRun(branching, { params: { ...params } }).steps.map(({ name, forecast }) => [name, forecast]),
  );

describe('a dry run', () => {
  it('plans order, waves, time and cost', () => {
    const result = dryRun(branching, {
      params: { form: '10-K', rows: 500, audit: true },
      estimators: tenSeconds(),
    });
    expect(result.isValid).toBe(true);
    expect(result.waves).toEqual([
      ['fetch'],
      ['size', 'audit'],
      ['split', 'single'],
      ['after_split'],
      ['join'],
    ]);
    expect(result.steps.map(({ name, order }) => `${order} ${name}`).slice(0, 2)).toEqual([
      '1 fetch',
      '2 size',
    ]);
    // fetch, split, after_split, join one after the other; audit beside them.
    expect(result).toMatchObject({ totalSeconds: 50, elapsedSeconds: 40, totalCost: '0.5', unestimated: [] });
  });

  it('follows choices and conditions as far as the params tell', () => {
    expect(forecasts({ rows: 500, audit: false })).toEqual({
      fetch: 'runs',
      size: 'runs',
      split: 'runs',
      after_split: 'runs',
      single: 'not_taken',
      audit: 'skipped',
      join: 'runs',
    });
    expect(forecasts({ rows: 5, audit: true })).toMatchObject({
      split: 'not_taken',
      after_split: 'not_taken',
      single: 'runs',
      join: 'runs',
    });
    expect(forecasts({})).toMatchObject({
      split: 'depends',
      single: 'depends',
      audit: 'depends',
      join: 'depends',
    });
  });

  it('leaves to the run what reads outputs', () => {
    const steps = [operation('a'), operation('b', { dependsOn: ['a'], when: 'steps.a.output.n > 1' })];
    expect(dryRun(parallel(steps)).steps.map(({ forecast }) => forecast)).toEqual(['runs', 'depends']);
  });

  it('says which params are missing, of steps that run', () => {
    const result = dryRun(branching, { params: { rows: 1, audit: true } });
    expect(result.isValid).toBe(false);
    expect(result.issues).toEqual([
      { field: 'steps[0]', code: 'missing_param', message: 'step fetch: {{ params.form }} has no value' },
    ]);
    expect(
      dryRun({ ...branching, defaults: { form: '10-Q' } }, { params: { rows: 1, audit: true } }).isValid,
    ).toBe(true);
    const skipped = parallel([operation('a', { when: 'params.go', params: { n: '{{ params.n }}' } })]);
    expect(dryRun(skipped, { params: { go: false } }).issues).toEqual([]);
  });

  it('tells what is wrong with the workflow, and plans what there is', () => {
    const result = dryRun(
      parallel([operation('a', { dependsOn: ['b'] }), operation('b', { dependsOn: ['a'] }), operation('c')]),
    );
    expect(result.issues.map(({ code }) => code)).toContain('cycle');
    expect(result.steps.map(({ name, wave }) => `${name} ${wave}`)).toEqual(['c 1', 'a 2', 'b 2']);
  });

  it('keeps to the limit of the workflow', () => {
    const steps = ['a', 'b', 'c', 'd', 'e'].map((name) => operation(name));
    const elapsed = (policy: WorkflowInput['policy']): number =>
      dryRun(parallel(steps, policy === undefined ? {} : { policy }), { estimators: tenSeconds() })
        .elapsedSeconds;
    expect(elapsed({ mode: 'parallel' })).toBe(10);
    expect(elapsed({ mode: 'parallel', maxConcurrency: 2 })).toBe(30);
    expect(elapsed({ mode: 'sequential' })).toBe(50);
  });

  it('counts waits and approvals without a slot', () => {
    const steps: Step[] = [
      operation('a'),
      { kind: 'wait', name: 'w', wait: { durationSeconds: 86_400 } },
      { kind: 'approval', name: 'ok', approvers: ['risk'], autoApprove: ['dev'] },
    ];
    const workflow = parallel(steps, { policy: { mode: 'parallel', maxConcurrency: 1 } });
    expect(dryRun(workflow, { estimators: tenSeconds() })).toMatchObject({
      elapsedSeconds: 86_400,
      unestimated: ['ok'],
    });
    expect(dryRun(workflow, { estimators: tenSeconds(), environment: 'dev' }).unestimated).toEqual([]);
  });

  it('gives estimators the params and items that are known', () => {
    const map: Step = {
      kind: 'map',
      name: 'each',
      items: 'params.rows.filter(row, row > 1)',
      iterator: [{ name: 'load', kind: 'lambda', handler: 'load' }],
    };
    const estimators = new CostEstimators()
      .forKind('map', ({ items }) => (items === null ? {} : { seconds: items * 2, cost: `${items}.25` }))
      .forHandler('operation', 'x.a', ({ params }) => ({ seconds: params['n'] === 7 ? 70 : 0 }));
    const workflow = parallel([operation('a', { params: { n: '{{ params.n }}' } }), map]);
    const result = dryRun(workflow, { params: { n: 7, rows: [1, 2, 3] }, estimators });
    expect(result).toMatchObject({ totalSeconds: 74, totalCost: '2.25' });
    expect(result.steps[1]).toMatchObject({ items: 2 });
    const unknown = { ...map, items: '{{ steps.a.output.rows }}', dependsOn: ['a'] };
    expect(dryRun(parallel([operation('a'), unknown]), { estimators }).steps[1]).toMatchObject({
      items: null,
      seconds: null,
    });
  });

  it('refuses estimates that cannot be', () => {
    const bad = (estimate: { seconds?: number; cost?: string }): (() => unknown) => {
      const estimators = new CostEstimators().forKind('operation', () => estimate);
      return () => dryRun(parallel([operation('a')]), { estimators });
    };
    expect(bad({ seconds: -1 })).toThrow(/estimate of a: -1 seconds/);
    expect(bad({ cost: '-3' })).toThrow(/a cost of -3/);
    expect(bad({ cost: '1e3' })).toThrow(/is not a decimal number/);
    expect(() => tenSeconds().forKind('operation', () => ({}))).toThrow(/has an estimator/);
  });

  it('is readable', () => {
    const result = dryRun(parallel([operation('a')]), { estimators: tenSeconds() });
    expect(formatDryRun(result)).toBe(
      'dry: 10 s of work in 10 s, cost 0.1\n1. [wave 1] a (operation) runs, 10 s; x.a',
    );
  });
});
