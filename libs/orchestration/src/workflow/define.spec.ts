import { describe, expect, it } from 'vitest';
import { defineWorkflow, defineWorkflowFromJson, findWorkflowIssues } from './define.ts';
import type { DefinitionLookups } from './define.ts';
import { workflowToJson } from './json-map.ts';
import type { Step, WorkflowInput } from './model.ts';

const call = (
  name: string,
  dependsOn: readonly string[] = [],
  params: Record<string, string> = {},
): Step => ({
  kind: 'operation',
  name,
  handler: `test.${name}`,
  dependsOn,
  params,
});
const parallel = (...steps: Step[]): WorkflowInput => ({
  name: 'test.flow',
  policy: { mode: 'parallel' },
  steps,
});

/** `code at field`, and the message. */
const issuesOf = (workflow: WorkflowInput, lookups?: DefinitionLookups) =>
  findWorkflowIssues(workflow, lookups).map(({ field, code, message }) => [`${code} at ${field}`, message]);

const choice = (more: Partial<Extract<Step, { kind: 'choice' }>>): Step => ({
  kind: 'choice',
  name: 'route',
  routes: [{ condition: 'params.big', thenStep: 'a' }],
  ...more,
});

describe('a definition', () => {
  it('tells all that is wrong with it, by step and field', () => {
    const workflow = parallel(
      call('a', ['nobody']),
      call('a'),
      call('b', ['a'], { rows: '{{ steps.c.output.rows }}', x: '{{ nothing.y }}' }),
      call('c', ['b']),
      { ...call('d'), when: 'params.n >' },
      choice({ name: 'e', routes: [{ condition: 'true', thenStep: 'gone' }] }),
    );
    expect(issuesOf(workflow)).toEqual([
      ['duplicate_step at steps[1].name', 'step a: is also steps[0]; names are unique'],
      ['unknown_dependency at steps[0].depends_on[0]', 'step a: there is no step nobody'],
      ['unknown_dependency at steps[5].routes[0].then_step', 'step e: there is no step gone'],
      ['bad_reference at steps[2].params', 'step b: reads c, which it does not depend on'],
      [
        'bad_reference at steps[2].params.x',
        'step b: {{ nothing.y }} begins with none of params, steps, context, signals, previous',
      ],
      [
        'invalid_expression at steps[4].when',
        expect.stringContaining('step d: condition: is not an expression'),
      ],
    ]);
  });

  it('needs a step', () => {
    expect(issuesOf(parallel())).toEqual([['empty at steps', 'a workflow needs at least one step']]);
  });

  it('has no cycle; the error has its path, and what waits for it cannot be reached', () => {
    expect(
      issuesOf(parallel(call('a', ['c']), call('b', ['a']), call('c', ['b']), call('d', ['c']))),
    ).toEqual([
      ['cycle at steps[0].depends_on', 'step a: waits for itself by a -> b -> c -> a'],
      ['unreachable at steps[3]', 'step d: can never start, because it waits for a cycle'],
    ]);
    const [issue] = issuesOf({ ...parallel(call('a', ['b']), call('b')), policy: {} });
    expect(issue?.[1]).toContain('in a sequential workflow each step waits for the one before it');
  });

  it('names no target that is never chosen', () => {
    const route = choice({ routes: [{ condition: 'true', thenStep: 'a' }], elseStep: 'b' });
    expect(issuesOf(parallel(route, call('a'), call('b'))).map(([at]) => at)).toEqual([
      'unreachable at steps[0].routes[0].condition',
    ]);
  });

  it('has its handlers and its workflows', () => {
    const one: WorkflowInput = {
      name: 'test.one',
      steps: [
        { ...call('a'), compensate: { kind: 'lambda', handler: 'undo' } },
        { kind: 'workflow', name: 'sub', workflow: 'test.two' },
        { kind: 'workflow', name: 'other', workflow: 'test.nobody' },
      ],
    };
    const two: WorkflowInput = {
      name: 'test.two',
      steps: [{ kind: 'workflow', name: 'back', workflow: 'test.one' }],
    };
    const workflow = (name: string) => (name === 'test.two' ? two : undefined);
    expect(issuesOf(one, { hasHandler: (kind) => kind === 'operation', workflow })).toEqual([
      ['missing_handler at steps[0].compensate.handler', 'no lambda is registered as undo'],
      ['workflow_cycle at steps[1].workflow', 'starts itself by test.one -> test.two -> test.one'],
      ['unknown_workflow at steps[2].workflow', 'no workflow is registered as test.nobody'],
    ]);
  });

  it.each([
    [
      'names a field that does not exist',
      { steps: [{ kind: 'lambda', name: 'a', handler: 'h', retires: 3 }] },
      'steps[0]',
    ],
    [
      'has a name that could not be referred to',
      { steps: [{ kind: 'lambda', name: 'a b', handler: 'h' }] },
      'steps[0].name',
    ],
    [
      'has a name that no JSON may have for a key',
      { steps: [{ kind: 'lambda', name: 'constructor', handler: 'h' }] },
      'steps[0].name',
    ],
    ['has an unknown kind', { steps: [{ kind: 'shell', name: 'a' }] }, 'steps[0].kind'],
    [
      'waits for less than nothing',
      { steps: [{ kind: 'wait', name: 'a', wait: { duration_seconds: -1 } }] },
      'steps[0].wait.duration_seconds',
    ],
    [
      'has keys that reach a prototype',
      JSON.parse('{"defaults": {"__proto__": 1}, "steps": []}') as object,
      'defaults.__proto__',
    ],
  ])('is refused that %s', (_, json, field) => {
    expect(() => defineWorkflowFromJson({ name: 'test.flow', ...json })).toThrow(
      expect.objectContaining({ name: 'ValidationError', issues: [expect.objectContaining({ field })] }),
    );
  });

  it.each([
    'constructor.constructor("return process")()',
    'process.exit()',
    'steps[params.x].status == "failed"',
  ])('takes no code for a condition: %s', (when) => {
    expect(issuesOf(parallel({ ...call('a'), when })).map(([at]) => at)).toEqual([
      'invalid_expression at steps[0].when',
    ]);
  });

  it('has one JSON and one hash, whatever the order of its keys', () => {
    const workflow: WorkflowInput = {
      name: 'test.flow',
      domain: 'test',
      description: 'every kind of step',
      tags: ['a'],
      defaults: { week: '2026-01-02' },
      concurrency: { maxRuns: 1, onConflict: 'skip', queueTimeoutSeconds: 5 },
      outputs: { a: '{{ steps.a.output.x }}' },
      policy: {
        mode: 'parallel',
        maxConcurrency: 3,
        timeoutSeconds: 60,
        onError: 'retry',
        retry: {
          strategy: 'linear',
          maxRetries: 2,
          rules: [{ category: 'NETWORK', retry: true, delaySeconds: 3 }],
        },
        onFailure: { kind: 'lambda', handler: 'alert', params: { to: 'ops' } },
      },
      steps: [
        {
          ...call('a'),
          compensate: { kind: 'lambda', handler: 'undo', params: { x: '{{ steps.a.output.x }}' } },
        },
        {
          kind: 'lambda',
          name: 'b',
          handler: 'h',
          dependsOn: ['a'],
          when: 'params.n > 1.0',
          onError: 'continue',
          timeoutSeconds: 5,
          retry: { maxRetries: 1 },
        },
        {
          kind: 'choice',
          name: 'c',
          dependsOn: ['b'],
          routes: [{ condition: 'params.n > 2.0', thenStep: 'd' }],
          elseStep: 'e',
        },
        { kind: 'wait', name: 'd', wait: { durationSeconds: 5 } },
        { kind: 'wait', name: 'e', wait: { until: '{{ params.at }}' } },
        { kind: 'wait', name: 'f', wait: { signal: 'go', timeoutSeconds: 9 } },
        {
          kind: 'map',
          name: 'g',
          items: '{{ params.items }}',
          maxConcurrency: 2,
          partitionBy: 'venue',
          toleratedFailures: 'all',
          iterator: [
            { name: 'one', kind: 'lambda', handler: 'h', params: { x: '{{ item }}' }, timeoutSeconds: 3 },
            { name: 'two', kind: 'workflow', workflow: 'test.child', params: { x: '{{ stages.one.x }}' } },
          ],
        },
        {
          kind: 'workflow',
          name: 'h',
          workflow: 'test.child',
          params: {},
          wait: true,
          inheritContext: false,
          timeoutSeconds: 3,
          retry: { maxRetries: 1 },
        },
        {
          kind: 'approval',
          name: 'i',
          approvers: ['kim'],
          message: 'ok?',
          timeoutSeconds: 5,
          autoApprove: ['dev'],
          contextFields: { n: '{{ params.n }}' },
        },
      ],
    };
    const definition = defineWorkflow(workflow);
    const { hash, ...rest } = definition;
    expect(rest).toEqual(workflow);
    const text = JSON.stringify(workflowToJson(definition));
    expect(text).not.toMatch(/"[a-z]+[A-Z]/);
    const reversed = JSON.parse(text, (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).reverse())
        : value,
    ) as unknown;
    expect(defineWorkflowFromJson(reversed).hash).toBe(hash);
    expect(defineWorkflow({ ...workflow, description: 'another' }).hash).not.toBe(hash);
    expect(Object.isFrozen(definition.steps[0])).toBe(true);
  });
});
