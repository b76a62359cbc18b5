import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { IdempotencyLevel } from '@spine/core';
import { HandlerRegistry } from './registry.ts';

const options = { description: 'Does something.', params: z.strictObject({}) };
const nothing = (): void => undefined;

describe('registering', () => {
  it('keeps handlers by kind and name', () => {
    const registry = new HandlerRegistry()
      .registerTask('load', options, nothing)
      .registerOperation('load', options, nothing)
      .register('step', 'a.b-c_D9', options, nothing);
    expect(registry.keys()).toEqual(['operation:load', 'step:a.b-c_D9', 'task:load']);
    expect(registry.get('task', 'load')?.key).toBe('task:load');
    expect(registry.get('workflow', 'load')).toBeUndefined();
    expect(registry.get('task', 'constructor')).toBeUndefined();
  });

  it('refuses a key twice', () => {
    const registry = new HandlerRegistry().registerTask('load', options, nothing);
    expect(() => registry.registerTask('load', options, nothing)).toThrow(
      'handler task:load is registered twice',
    );
  });

  it.each(['', ' ', '9lives', 'a:b', 'a b', 'täsk', `x${'y'.repeat(200)}`, 'a\n'])(
    'refuses the name %j',
    (name) => {
      expect(() => new HandlerRegistry().registerTask(name, options, nothing)).toThrow(JSON.stringify(name));
    },
  );
});

describe('params', () => {
  const registry = new HandlerRegistry().registerTask(
    'load',
    {
      description: 'Loads.',
      params: z.strictObject({
        week: z.string(),
        tiers: z.array(z.strictObject({ id: z.int() })).default([]),
        limit: z.string().transform(Number).optional(),
      }),
    },
    (params) => params,
  );
  const parse = (params: unknown) => registry.get('task', 'load')?.parse(params);

  it('are given to the handler as its schema makes them', () => {
    expect(parse({ week: 'w1', limit: '5' })).toEqual({
      ok: true,
      params: { week: 'w1', tiers: [], limit: 5 },
    });
  });

  it('are refused with the path of every issue', () => {
    const parsed = parse({ tiers: [{ id: 1 }, { id: 'two' }] });
    expect(parsed?.ok === false && parsed.issues.map(({ field }) => field)).toEqual([
      'params.week',
      'params.tiers[1].id',
    ]);
  });

  it('are refused with every unknown field by its own name', () => {
    const parsed = parse({ week: 'w1', wek: 1, tiers: [{ id: 1, x: 2, y: 3 }] });
    expect(parsed?.ok === false && parsed.issues.map(({ field, code }) => [field, code])).toEqual([
      ['params.tiers[0].x', 'unknown_field'],
      ['params.tiers[0].y', 'unknown_field'],
      ['params.wek', 'unknown_field'],
    ]);
    expect(parsed?.ok === false && parsed.issues[0]?.message).toBe('is not a parameter of this handler');
  });

  it('are refused at their root when they are no object', () => {
    for (const params of [null, 'text', []]) {
      const parsed = parse(params);
      expect(parsed?.ok === false && parsed.issues[0]?.field).toBe('params');
    }
  });

  it('are refused, not thrown over, when the schema itself breaks', () => {
    const broken = new HandlerRegistry()
      .registerTask(
        'throws',
        {
          description: 'Its schema throws.',
          params: z.strictObject({
            when: z.string().refine((text) => {
              if (text === 'never') throw new RangeError('Invalid time value');
              return true;
            }),
          }),
        },
        nothing,
      )
      .registerTask(
        'async',
        {
          description: 'Its schema is asynchronous.',
          params: z.strictObject({ a: z.string().refine(() => Promise.resolve(true)) }),
        },
        nothing,
      );
    expect(broken.get('task', 'throws')?.parse({ when: 'never' })).toEqual({
      ok: false,
      issues: [
        {
          field: 'params',
          code: 'schema_failed',
          message: expect.stringContaining('Invalid time value') as string,
        },
      ],
    });
    expect(broken.get('task', 'throws')?.parse({ when: 'now' }).ok).toBe(true);
    expect(broken.get('task', 'async')?.parse({ a: 'x' }).ok).toBe(false);
  });
});

describe('check', () => {
  it('passes what can be documented', () => {
    const registry = new HandlerRegistry().registerTask('load', options, nothing);
    expect(registry.check()).toBe(registry);
  });

  it('refuses a process without handlers', () => {
    expect(() => new HandlerRegistry().check()).toThrow('no handler is registered');
  });

  it.each([
    ['a date', z.strictObject({ at: z.date() })],
    ['a bigint', z.strictObject({ n: z.bigint() })],
    ['a class', z.strictObject({ u: z.instanceof(URL) })],
  ])('refuses a handler whose params hold %s, by its key', (_, params) => {
    const registry = new HandlerRegistry()
      .registerTask('fine', options, nothing)
      .registerTask('odd', { description: 'Odd.', params }, nothing);
    expect(() => registry.check()).toThrow('handler task:odd: its params have no JSON Schema');
  });
});

describe('describing', () => {
  it('gives the JSON Schema of what goes in: a defaulted field is not required', () => {
    const registry = new HandlerRegistry().registerTask(
      'load',
      {
        description: 'Loads.',
        params: z.strictObject({ week: z.string(), tier: z.string().default('OTC') }),
        tags: ['finra'],
        idempotency: IdempotencyLevel.L2_INPUT,
      },
      nothing,
    );
    expect(registry.describe('task', 'load')).toMatchObject({
      kind: 'task',
      name: 'load',
      description: 'Loads.',
      tags: ['finra'],
      idempotency: 'L2_INPUT',
      paramsSchema: { type: 'object', required: ['week'], additionalProperties: false },
    });
    registry.registerTask('silent', options, nothing);
    expect(registry.describe('task', 'silent')).toMatchObject({ idempotency: null });
    expect(registry.describe('task', 'other')).toBeUndefined();
  });

  it('lists all by key', () => {
    const registry = new HandlerRegistry()
      .registerTask('b', options, nothing)
      .registerOperation('z', options, nothing)
      .registerTask('a', options, nothing);
    expect(registry.describeAll().map(({ kind, name }) => `${kind}:${name}`)).toEqual([
      'operation:z',
      'task:a',
      'task:b',
    ]);
  });
});
