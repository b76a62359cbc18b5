import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ErrorCategory, ValidationError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { StepResult } from '../../workflow/step-result.ts';
import { HandlerTable } from '../run/handlers.ts';
import { runInMemory } from '../run/run.ts';
import type { WorkflowRunResult } from '../run/run.ts';
import { TemplateRegistry } from './registry.ts';

const templates = TemplateRegistry.withBuiltIns();
const call = (handler: string): JsonObject => ({ kind: 'operation', handler });

/** Answers with what it was called with. */
async function run(template: string, params: object, given: JsonObject = {}): Promise<WorkflowRunResult> {
  const definition = templates.instantiate(template, { name: `of.${template}`, ...params });
  const executor = new HandlerTable();
  for (const name of ['x.one', 'x.two', 'x.three', 'x.four'])
    executor.add('operation', name, (values) => StepResult.ok({ [name.slice(2)]: values }));
  executor.add('operation', 'x.down', () => StepResult.fail('down', { category: ErrorCategory.NETWORK }));
  return runInMemory(definition, { executor, params: given });
}
const ran = ({ steps }: WorkflowRunResult): string[] =>
  steps.filter(({ status }) => status === 'completed').map(({ name }) => name);

describe('templates', () => {
  it('are listed with the schema of their params', () => {
    expect(templates.list().map(({ name }) => name)).toEqual([
      'conditional_branch',
      'etl',
      'fan_out_fan_in',
      'retry_wrapper',
      'scheduled_batch',
    ]);
    for (const { description, params } of templates.list()) {
      expect(description).toMatch(/\.$/);
      expect(params).toMatchObject({ type: 'object', additionalProperties: false });
    }
  });

  it('etl hands on from step to step', async () => {
    const result = await run(
      'etl',
      { extract: 'x.one', transform: 'x.two', load: 'x.four', validate: 'x.three' },
      { day: 1 },
    );
    expect(ran(result)).toEqual(['extract', 'transform', 'validate', 'load']);
    const transformed = { two: { params: { day: 1 }, extract: { one: { params: { day: 1 } } } } };
    expect(result.outputs['load']).toEqual({ four: { params: { day: 1 }, transform: transformed } });
  });

  it('fan_out_fan_in scatters and gathers', async () => {
    const result = await run(
      'fan_out_fan_in',
      { items: 'params.rows', iterator: call('x.one'), merge: call('x.two'), max_concurrency: 2 },
      { rows: [7, 8] },
    );
    expect(result.outputs['gather']).toMatchObject({
      two: { count: 2, succeeded: 2, failed: 0, items: [{ one: { item: 7 } }, { one: { item: 8 } }] },
    });
  });

  it('conditional_branch goes one way', async () => {
    const branch = {
      prepare: { ...call('x.one'), params: { n: '{{ params.n }}' } },
      condition: 'steps.prepare.output.one.n > 1',
      then: call('x.two'),
      otherwise: call('x.three'),
    };
    expect(ran(await run('conditional_branch', branch, { n: 2 }))).toEqual(['prepare', 'choose', 'then']);
    expect(ran(await run('conditional_branch', branch, { n: 1 }))).toEqual([
      'prepare',
      'choose',
      'otherwise',
    ]);
  });

  it('retry_wrapper tries again, then falls back', async () => {
    const wrapped = { operation: call('x.down'), retry: { max_retries: 2 }, fallback: call('x.two') };
    const down = await run('retry_wrapper', wrapped);
    expect(down).toMatchObject({
      status: 'completed',
      steps: [{ attempts: 3, status: 'failed' }, { status: 'completed' }],
    });
    const up = await run('retry_wrapper', { ...wrapped, operation: call('x.one') });
    expect(up.steps).toMatchObject([{ attempts: 1, status: 'completed' }, { status: 'skipped' }]);
    expect((await run('retry_wrapper', { ...wrapped, fallback: undefined })).status).toBe('failed');
  });

  it('scheduled_batch waits, runs, validates and tells', async () => {
    const batch = {
      wait_until: '{{ params.at }}',
      operation: 'x.one',
      validator: 'x.two',
      notifier: 'x.three',
    };
    const result = await run('scheduled_batch', batch, { at: '2026-02-01T00:00:00Z' });
    expect(ran(result)).toEqual(['wait', 'run', 'validate', 'notify']);
    expect(result.endedAt.toISOString()).toBe('2026-02-01T00:00:00.000Z');
    expect(ran(await run('scheduled_batch', { operation: 'x.one', notifier: 'x.three' }))).toEqual([
      'run',
      'notify',
    ]);
  });

  it('tell which param is wrong', () => {
    const instantiate =
      (params: object): (() => unknown) =>
      () =>
        templates.instantiate('etl', params);
    expect(instantiate({ name: 'w', extract: 'x', transform: 'y' })).toThrow('template etl: params.load');
    expect(instantiate({ name: 'w', extract: 'x', transform: 'y', load: 'z', store: 'q' })).toThrow(
      /params.store: there is no field/,
    );
    expect(instantiate({ name: '9', extract: 'x', transform: 'y', load: 'z' })).toThrow(ValidationError);
    expect(() => templates.instantiate('nope', {})).toThrow(
      'there is no template nope; there are conditional_branch, etl,',
    );
  });

  it('may be the house’s own', () => {
    const own = new TemplateRegistry().register({
      name: 'ping',
      description: 'Calls one handler.',
      params: z.strictObject({ handler: z.string() }),
      make: ({ handler }) => ({ name: 'ping', steps: [{ kind: 'lambda', name: 'ping', handler }] }),
    });
    expect(own.instantiate('ping', { handler: 'f' }).steps).toMatchObject([{ handler: 'f' }]);
    const missing = { hasHandler: () => false };
    expect(() => own.instantiate('ping', { handler: 'f' }, missing)).toThrow('no lambda is registered as f');
    const again = {
      name: 'ping',
      description: '',
      params: z.strictObject({}),
      make: () => ({ name: 'w', steps: [] }),
    };
    expect(() => own.register(again)).toThrow('ping is registered already');
    expect(() => own.register({ ...again, name: 'No Name' })).toThrow('must match');
  });
});
