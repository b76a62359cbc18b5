import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { encodeGates } from '@spine/database';
import type { Gate } from '@spine/database';
import { HandlerRegistry } from '../registry/registry.ts';
import { newRun } from '../spec/new-run.ts';
import { checkSpec } from '../spec/check-spec.ts';
import { workSpecFromJson, workSpecJson } from '../spec/json.ts';
import { taskSpec } from '../spec/work-spec.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import { handlerGates } from './handler-gates.ts';
import { gatesOfRun, gatesOfSpec, mergeGates, specOfGates } from './resolve-gates.ts';

const subject = (params: unknown) => ({ kind: 'task', name: 'fetch', lane: 'default', params });

describe('the gates of a handler', () => {
  it('are made for each run, by default for all of them together', () => {
    const gates = handlerGates('task:fetch', {
      concurrency: [{ limit: 2, key: 'tenant:{params.tenant}' }, { limit: 9 }],
      rateLimits: { limit: 10, perSeconds: 60 },
      breakers: ['edgar'],
    });
    expect(gates?.readsParams).toBe(true);
    expect(gates?.gatesOf(subject({ tenant: 'acme' }))).toEqual([
      { type: 'concurrency', key: 'tenant:acme', limit: 2, from: 'handler' },
      { type: 'concurrency', key: 'handler:task:fetch', limit: 9, from: 'handler' },
      {
        type: 'rate',
        key: 'handler:task:fetch',
        rate: { algorithm: 'token_bucket', limit: 10, perMs: 60_000, burst: 10 },
        from: 'handler',
      },
      { type: 'breaker', key: 'edgar', from: 'handler' },
    ]);
    expect(handlerGates('task:fetch', {})).toBeNull();
  });

  it.each([
    ['a limit of nothing', { concurrency: { limit: 0 } }],
    ['half a place', { concurrency: { limit: 1.5 } }],
    ['a rate in no time', { rateLimits: { limit: 1, perSeconds: 0 } }],
    [
      'a burst of a window',
      { rateLimits: { limit: 1, perSeconds: 1, algorithm: 'sliding_window', burst: 2 } },
    ],
    ['a name out of form', { breakers: ['Not a name'] }],
    ['a key out of form', { concurrency: { limit: 1, key: '{env.HOME}' } }],
  ] as const)('that could never be kept, such as %s, fail the registration', (_, options) => {
    const registry = new HandlerRegistry();
    const register = () =>
      registry.registerTask('fetch', { description: 'd', params: z.unknown(), ...options }, () => null);
    expect(register).toThrow(expect.objectContaining({ name: 'ConfigError' }));
    expect(registry.keys()).toEqual([]);
  });

  it('tell gated and ungated handlers apart', () => {
    const registry = new HandlerRegistry()
      .registerTask('plain', { description: 'd', params: z.unknown() }, () => null)
      .registerTask(
        'limited',
        { description: 'd', params: z.unknown(), concurrency: { limit: 1 } },
        () => null,
      );
    expect(registry.gatedKeys()).toEqual(['task:limited']);
    expect(registry.ungatedKeys()).toEqual(['task:plain']);
  });
});

describe('the gates of a spec', () => {
  const json = {
    kind: 'task',
    name: 'fetch',
    singleton_key: 'one',
    concurrency: [{ key: 'tenant:7', limit: 3 }],
    rate_limits: [
      { key: 'api', limit: 5, per_seconds: 1.5 },
      { key: 'day', limit: 100, per_seconds: 86_400, algorithm: 'sliding_window' },
    ],
    breakers: ['edgar'],
  } as const;

  it('come in as JSON and are stored with the run', () => {
    const spec = workSpecFromJson(workSpecJson.parse(json));
    expect(JSON.parse(newRun(spec).gates ?? 'null')).toEqual([
      { type: 'singleton', key: 'one' },
      { type: 'breaker', key: 'edgar' },
      { type: 'concurrency', key: 'tenant:7', limit: 3 },
      { type: 'rate', key: 'api', algorithm: 'token_bucket', limit: 5, per_ms: 1_500, burst: 5 },
      { type: 'rate', key: 'day', algorithm: 'sliding_window', limit: 100, per_ms: 86_400_000 },
    ]);
    expect(newRun(taskSpec('fetch')).gates).toBeNull();
  });

  it('are asked for again by a rerun, without the handler’s', () => {
    const spec = workSpecFromJson(workSpecJson.parse(json));
    const own = handlerGates('task:fetch', { concurrency: { limit: 4 } });
    const stored = newRun(spec, {}, { retry: null, gates: own });
    const again = specOfGates(JSON.parse(stored.gates ?? 'null'));
    expect(gatesOfSpec({ ...again, singletonKey: 'one' })).toEqual(gatesOfSpec(spec));
  });

  it.each([
    ['concurrency[0].limit', { concurrency: [{ key: 'k', limit: 0 }] }],
    ['concurrency[0].key', { concurrency: [{ key: '', limit: 1 }] }],
    ['concurrency[0].key', { concurrency: [{ key: 'a\0b', limit: 1 }] }],
    [
      'concurrency',
      { concurrency: Array.from({ length: 6 }, (_, index) => ({ key: `k${index}`, limit: 1 })) },
    ],
    [
      'rate_limits[0].burst',
      { rateLimits: [{ key: 'k', limit: 1, perSeconds: 1, algorithm: 'sliding_window', burst: 1 }] },
    ],
    ['rate_limits[0].per_seconds', { rateLimits: [{ key: 'k', limit: 1, perSeconds: 0 }] }],
    ['breakers[0]', { breakers: ['No'] }],
  ] as const)('out of bounds are refused by %s', (field, more) => {
    const spec: WorkSpec = { ...taskSpec('fetch'), ...more };
    expect(checkSpec(spec, undefined).map((issue) => issue.field)).toEqual([field]);
  });
});

describe('the gates of a waiting run', () => {
  const own: Gate = { type: 'concurrency', key: 'mine', limit: 1, from: 'spec' };
  const old: Gate = { type: 'concurrency', key: 'tenant:acme', limit: 2, from: 'handler' };
  const stored: unknown = JSON.parse(encodeGates([own, old]) ?? 'null');
  const handler = handlerGates('task:fetch', { concurrency: { limit: 5, key: 'tenant:{params.tenant}' } });

  it('are its spec’s as stored and its handler’s as they are now', () => {
    expect(gatesOfRun(stored, handler, subject({ tenant: 'acme' }))).toEqual([own, { ...old, limit: 5 }]);
    expect(gatesOfRun(null, handler, subject({ tenant: 'b' }))).toMatchObject([
      { key: 'tenant:b', limit: 5 },
    ]);
  });

  it('stay as stored where the handler is unknown or its params are elsewhere', () => {
    expect(gatesOfRun(stored, null, subject({}))).toEqual([own, old]);
    expect(gatesOfRun(stored, handler, subject(null))).toEqual([own, old]);
    expect(gatesOfRun(null, handler, subject(null))).toMatchObject([{ key: 'tenant:(none)' }]);
  });

  it('of a later release are left to it', () => {
    expect(gatesOfRun([{ type: 'lock', key: 'k' }], handler, subject({}))).toBeNull();
  });

  it('count under one key once, by the stricter limit', () => {
    expect(mergeGates([own, { ...old, key: 'mine', limit: 9 }])).toEqual([own]);
    expect(
      mergeGates([
        { ...own, limit: 9 },
        { ...old, key: 'mine' },
      ]),
    ).toEqual([{ ...own, limit: 2 }]);
    const rate = (limit: number, perMs: number): Gate => ({
      type: 'rate',
      key: 'r',
      rate: { algorithm: 'sliding_window', limit, perMs },
      from: 'spec',
    });
    expect(mergeGates([rate(10, 1_000), rate(20, 10_000)])).toEqual([rate(20, 10_000)]);
  });
});
