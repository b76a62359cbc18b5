import { afterEach, describe, expect, it, vi } from 'vitest';
import { NetworkError, NotFoundError } from '@spine/core';
import { Metrics, silentLogger } from '@spine/observability';
import type { Queryable } from '@spine/database';
import { RunDeferredError } from '../worker/defer.ts';
import { BreakerOpenError } from './breaker.ts';
import { BreakerRegistry } from './breaker-registry.ts';

const registries: BreakerRegistry[] = [];
afterEach(() => {
  for (const registry of registries.splice(0)) registry.close();
});

function registryOf(db: Queryable | null = null, metrics: Metrics | null = null): BreakerRegistry {
  const registry = new BreakerRegistry({ db, metrics, logger: silentLogger(), by: 'test' });
  registries.push(registry);
  return registry;
}

const down = (): Promise<never> => Promise.reject(new NetworkError('down'));

/** Calls that fail, as many as it takes; the errors. */
async function fail(
  registry: BreakerRegistry,
  times: number,
  error: () => Promise<never> = down,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (let count = 0; count < times; count += 1) {
    await registry
      .get('edgar')
      .fire('me', error)
      .catch((thrown: unknown) => errors.push(thrown));
  }
  return errors;
}

describe('a breaker on its own', () => {
  it('lets calls through and hands on what they return or throw', async () => {
    const breaker = registryOf().get('edgar');
    expect(await breaker.fire('me', () => 7)).toBe(7);
    expect(await breaker.fire('me', () => Promise.resolve('x'))).toBe('x');
    const error = new NetworkError('down');
    await expect(breaker.fire('me', () => Promise.reject(error))).rejects.toBe(error);
    await expect(
      breaker.fire('me', () => {
        throw error;
      }),
    ).rejects.toBe(error);
  });

  it('opens when most of enough calls failed, and calls no more', async () => {
    const registry = registryOf();
    const errors = await fail(registry, 5);
    expect(errors.every((error) => error instanceof NetworkError)).toBe(true);
    let called = false;
    const refused: unknown = await registry
      .get('edgar')
      .fire('me', () => (called = true))
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BreakerOpenError);
    expect(refused).toBeInstanceOf(RunDeferredError);
    expect(refused).toMatchObject({ breaker: 'edgar', retryable: true, delayMs: 30_000 });
    expect(called).toBe(false);
    // Other dependencies are not meant.
    expect(await registry.get('finra').fire('me', () => 1)).toBe(1);
  });

  it('does not count answers of a dependency that works, such as that something does not exist', async () => {
    const registry = registryOf();
    await fail(registry, 20, () => Promise.reject(new NotFoundError('no such filing')));
    expect(await registry.get('edgar').fire('me', () => 1)).toBe(1);
    const strict = registryOf().configure('edgar', { isFailure: () => true });
    await fail(strict, 5, () => Promise.reject(new NotFoundError('no such filing')));
    await expect(strict.get('edgar').fire('me', () => 1)).rejects.toBeInstanceOf(BreakerOpenError);
  });

  it('does not count a handler that puts itself off', async () => {
    const registry = registryOf();
    await fail(registry, 20, () => Promise.reject(new RunDeferredError(1, 'later')));
    expect(await registry.get('edgar').fire('me', () => 1)).toBe(1);
  });

  it('lets one try after its time, and closes when that succeeds', async () => {
    const registry = registryOf().configure('edgar', { volume: 2, resetMs: 20 });
    await fail(registry, 2);
    expect(registry.get('edgar').openHere).toBe(true);
    await vi.waitFor(() => expect(registry.get('edgar').openHere).toBe(false));
    expect(await registry.get('edgar').fire('me', () => 'up again')).toBe('up again');
    expect(registry.get('edgar').openHere).toBe(false);
  });

  it('without a database that answers goes by what it sees itself', async () => {
    const away: Queryable = { query: () => Promise.reject(new Error('connection refused')) };
    const registry = registryOf(away).configure('edgar', { volume: 2 });
    await registry.refresh();
    await fail(registry, 2);
    await expect(registry.get('edgar').fire('me', () => 1)).rejects.toBeInstanceOf(BreakerOpenError);
    expect(registry.state('edgar')).toBe('closed');
  });
});

describe('a registry', () => {
  it('has one breaker a dependency', () => {
    const registry = registryOf();
    expect(registry.get('edgar')).toBe(registry.get('edgar'));
  });

  it('takes names of dependencies, and not without end', () => {
    const registry = registryOf();
    for (const name of ['', 'Edgar', 'a b', 'x'.repeat(101), '1a']) {
      expect(() => registry.get(name)).toThrow(/breaker name/);
    }
    for (let count = 0; count < 200; count += 1) registry.get(`d${count}`);
    expect(() => registry.get('one-more')).toThrow(/more than 200/);
    expect(registry.get('d7').name).toBe('d7');
  });

  it('is told how a breaker behaves before its first use', () => {
    const registry = registryOf();
    registry.get('edgar');
    expect(() => registry.configure('edgar', {})).toThrow(/in use/);
  });

  it('shows the breakers in use as metrics, and no others', async () => {
    const metrics = new Metrics('test');
    registryOf(null, metrics).get('edgar');
    const { values } = await metrics.breakerState.get();
    expect(values).toMatchObject([{ labels: { name: 'edgar' }, value: 0 }]);
  });
});
