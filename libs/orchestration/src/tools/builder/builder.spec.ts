import { describe, expect, it } from 'vitest';
import { FixedClock } from '@spine/core';
import { StepResult } from '../../workflow/step-result.ts';
import { parseWorkflowYaml, stringifyWorkflowYaml } from '../yaml/document.ts';
import { workflow } from './builder.ts';
import type { Branch } from './builder.ts';
import { operation } from './step-options.ts';

const greet = ({ name }: { name: string }): object => ({ message: `Hello, ${name}!` });
const shout = ({ message }: { message: string }): object => ({ shouted: message.toUpperCase() });
const statuses = (result: {
  readonly steps: readonly { readonly name: string; readonly status: string }[];
}): object => Object.fromEntries(result.steps.map(({ name, status }) => [name, status]));

describe('a chain of plain functions', () => {
  it('hands values on by name', async () => {
    const hello = workflow('hello.world')
      .step('greet', greet, { config: { name: 'spine' } })
      .step('shout', shout)
      .build();
    const result = await hello.run();
    expect(result.status).toBe('completed');
    expect(result.outputs).toEqual({
      greet: { message: 'Hello, spine!' },
      shout: { shouted: 'HELLO, SPINE!' },
    });
    expect(hello.definition.policy?.mode).toBeUndefined();
    expect(hello.definition.steps.every(({ dependsOn }) => dependsOn === undefined)).toBe(true);
  });

  it('takes the own config first, then the latest output, then the run’s params', async () => {
    const seen: unknown[] = [];
    const see = (values: object): void => void seen.push(values);
    const flow = workflow('order')
      .step('a', () => ({ x: 'a', y: 'a', z: 'a' }))
      .step('b', () => ({ y: 'b', z: 'b' }))
      .step('see', see, { config: { z: 'own' } })
      .build();
    await flow.run({ x: 'run', w: 'run' });
    expect(seen).toEqual([{ w: 'run', x: 'a', y: 'b', z: 'own' }]);
  });

  it('takes the outputs of the steps it is to read alone', async () => {
    const flow = workflow('narrow')
      .step('a', () => ({ x: 1, y: 1 }))
      .step('b', () => ({ x: 2 }))
      .step('see', (values: object) => values, { reads: ['a'] })
      .build();
    expect((await flow.run()).outputs['see']).toEqual({ x: 1, y: 1 });
    const late = workflow('late')
      .step('a', () => 1, { reads: ['b'] })
      .step('b', () => 1);
    expect(() => late.build()).toThrow('reads b, which it does not depend on');
  });

  it('calls by position where the names are listed', async () => {
    const add = (a: number, b: number, c = 100): object => ({ sum: a + b + c });
    const flow = workflow('sum')
      .step('add', add, { takes: ['left', 'right', 'more'] })
      .build();
    expect((await flow.run({ left: 1, right: 2 })).outputs).toEqual({ add: { sum: 103 } });
  });

  it('fails with what a function throws, and with what is not JSON', async () => {
    const thrown = await workflow('bad')
      .step('boom', () => {
        throw new RangeError('too far');
      })
      .step('never', () => ({}))
      .build()
      .run();
    expect(thrown).toMatchObject({
      status: 'failed',
      failedStep: 'boom',
      error: { type: 'RangeError', message: 'too far' },
    });
    expect(statuses(thrown)).toEqual({ boom: 'failed', never: 'pending' });
    const odd = await workflow('odd')
      .step('set', () => ({ rows: new Map() }))
      .build()
      .run();
    expect(odd.error?.message).toContain('that is not JSON');
  });

  it('may answer with a whole result', async () => {
    const flow = workflow('skips')
      .step('maybe', () => StepResult.skip('nothing new'))
      .step('after', () => ({ done: true }))
      .build();
    const result = await flow.run();
    expect(result.steps[0]).toMatchObject({ status: 'skipped', reason: 'nothing new' });
    expect(result.status).toBe('completed');
  });
});

describe('branches', () => {
  it('run side by side and join', async () => {
    const flow = workflow('consensus')
      .parallel(
        (branch) => branch.step('bloomberg', () => ({ bbg: 152 })),
        (branch) =>
          branch
            .step('factset', () => ({ fs: 150 }))
            .step('convert', ({ fs }: { fs: number }) => ({ fs: fs + 1 })),
      )
      .step('merge', ({ bbg, fs }: { bbg: number; fs: number }) => ({ spread: bbg - fs }))
      .build();
    expect(flow.definition.policy?.mode).toBe('parallel');
    expect(flow.definition.steps.map(({ name, dependsOn }) => [name, dependsOn])).toEqual([
      ['bloomberg', undefined],
      ['factset', undefined],
      ['convert', ['factset']],
      ['merge', ['bloomberg', 'convert']],
    ]);
    expect((await flow.run()).outputs).toEqual({ merge: { spread: 1 } });
  });

  const chooser = (otherwise: boolean) =>
    workflow('chooser')
      .step('count', ({ n }: { n: number }) => ({ n }))
      .choice(
        'size',
        [
          {
            when: 'steps.count.output.n > 10',
            then: (branch) =>
              branch.step('split', () => ({ way: 'split' })).step('pack', () => ({ packed: true })),
          },
        ],
        otherwise ? (branch) => branch.step('single', () => ({ way: 'single' })) : undefined,
      )
      .step('store', ({ way }: { way?: string }) => ({ stored: way ?? 'nothing' }))
      .build();

  it('choose one way, and go on', async () => {
    const large = await chooser(true).run({ n: 50 });
    expect(statuses(large)).toMatchObject({ split: 'completed', pack: 'completed', single: 'not_taken' });
    expect(large.outputs).toEqual({ store: { stored: 'split' } });
    expect((await chooser(true).run({ n: 1 })).outputs).toEqual({ store: { stored: 'single' } });
  });

  it('go on where nothing was chosen', async () => {
    const result = await chooser(false).run({ n: 1 });
    expect(statuses(result)).toMatchObject({ split: 'not_taken', pack: 'not_taken', store: 'completed' });
    expect(result.outputs).toEqual({ store: { stored: 'nothing' } });
  });

  it('need a step for the choice to lead to', () => {
    const choice =
      (then: Branch): (() => unknown) =>
      () =>
        workflow('w').choice('c', [{ when: 'true', then }]);
    expect(choice((branch) => branch)).toThrow('choice c: a branch has no step');
    expect(choice((branch) => branch.parallel((inner) => inner.step('a', () => 1)))).toThrow(
      'begins with a step of its own',
    );
  });
});

describe('a built workflow', () => {
  it('undoes with functions and calls one when it fails', async () => {
    const calls: unknown[] = [];
    const flow = workflow('booking')
      .step('book', () => ({ ticket: 7 }), {
        compensate: ({ ticket }: { ticket: number }) => void calls.push(['undo', ticket]),
      })
      .step('pay', () => false)
      .onFailure(
        ({ customer, failure }: { customer: string; failure: { step: string } }) =>
          void calls.push(['tell', customer, failure.step]),
      )
      .build();
    const result = await flow.run({ customer: 'c1' });
    expect(result).toMatchObject({ status: 'failed', failedStep: 'pay' });
    expect(calls).toEqual([
      ['undo', 7],
      ['tell', 'c1', 'pay'],
    ]);
  });

  it('has every kind of step, and is the same from YAML', async () => {
    const flow = workflow('kinds', { domain: 'test', tags: ['t'] })
      .defaults({ rows: [1, 2, 3] })
      .step('fetch', operation('x.fetch'), {
        config: { n: '{{ params.rows }}' },
        timeoutSeconds: 5,
        retry: { maxRetries: 1 },
      })
      .map(
        'each',
        '{{ params.rows }}',
        [{ name: 'double', kind: 'operation', handler: 'x.double', params: { row: '{{ item }}' } }],
        { maxConcurrency: 2 },
      )
      .wait('pause', { durationSeconds: 604_800 })
      .approval('ok', ['risk'], { autoApprove: ['dev'] })
      .workflow('report', 'x.report', { wait: false })
      .outputs({ count: '{{ steps.each.output.count }}' })
      .concurrency({ maxRuns: 1, onConflict: 'skip' })
      .build();
    flow.handlers
      .add('operation', 'x.fetch', (params) => StepResult.ok(params))
      .add('operation', 'x.double', ({ row }) => StepResult.ok({ double: Number(row) * 2 }));
    const result = await flow.run({}, { environment: 'dev' });
    expect(result).toMatchObject({ status: 'completed', outputs: { count: 3 } });
    expect(result.endedAt.getTime() - result.startedAt.getTime()).toBe(604_800_000);
    expect(parseWorkflowYaml(stringifyWorkflowYaml(flow.definition)).definition).toEqual(flow.definition);
  });

  it('shows itself and what has run', async () => {
    const flow = workflow('hello')
      .step('greet', greet)
      .step('shout', shout)
      .build({ clock: new FixedClock('2026-01-01T00:00:00Z'), keep: 2 });
    expect(flow.show()).toContain('│ greet │───▶│ shout │');
    await flow.run({ name: 'a' });
    expect(flow.show()).toContain('│ greet [completed] │───▶│ shout [completed] │');
    expect(flow.show()).toContain('hello - 2 steps - completed in 0 ms\n');
    await flow.run({ name: 'b' });
    await flow.run({ name: 'c' });
    expect(flow.history().map(({ result }) => result.params)).toEqual([{ name: 'b' }, { name: 'c' }]);
  });

  it('tells what is wrong when it is built', () => {
    expect(() => workflow('w').build()).toThrow('at least one step');
    expect(() => workflow('w').step('a', greet).step('a', shout)).toThrow('step a: is there already');
    expect(() =>
      workflow('w')
        .step('a', greet, { dependsOn: ['zero'] })
        .build(),
    ).toThrow('there is no step zero');
    expect(() => workflow('w').step('a', operation('x'), { takes: ['b'] })).toThrow('is for functions');
  });
});
