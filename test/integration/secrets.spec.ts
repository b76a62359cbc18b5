/** One suite over every backend of secrets: what a caller may rely on, wherever the secret is kept. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MissingSecretError, SecretsResolver, SecretUnavailableError } from '@spine/config';
import type { SecretBackend } from '@spine/config';
import { ManualClock, newId } from '@spine/core';
import { openAws, openEnv, openFile, openVault } from './secrets-support.ts';
import type { OpenBackend } from './secrets-support.ts';

const BACKENDS = [
  { name: 'env', open: openEnv },
  { name: 'file', open: openFile },
  { name: 'vault', open: openVault },
  { name: 'aws', open: openAws },
] as const;

/** Counts what reaches a backend. */
class Counting implements SecretBackend {
  readonly name;
  asked = 0;
  readonly #inner: SecretBackend;

  constructor(inner: SecretBackend) {
    this.name = inner.name;
    this.#inner = inner;
  }

  get(location: Parameters<SecretBackend['get']>[0]): ReturnType<SecretBackend['get']> {
    this.asked += 1;
    return this.#inner.get(location);
  }
}

const newName = (): string => `s_${newId().replaceAll('-', '')}`;

describe.each(BACKENDS)('secrets of $name', ({ name, open }) => {
  let store: OpenBackend;
  let backend: Counting;
  const clock = new ManualClock('2025-12-15T00:00:00Z');
  let resolver: SecretsResolver;
  beforeAll(async () => {
    store = await open();
    backend = new Counting(store.backend);
    resolver = new SecretsResolver({
      backends: [backend],
      chain: [{ backend, locate: (each) => ({ path: store.path(each) }) }],
      ttlSeconds: 60,
      clock,
    });
  });
  afterAll(() => store.close());

  const reference = (secret: string): string => `secret:${name}:${store.path(secret)}`;

  it('come by reference and by name, as they were put, and print nothing', async () => {
    const secret = newName();
    store.put(secret, 'p@ss "wörd" $HOME\t1');
    const found = await resolver.resolve(reference(secret));
    expect(found.reveal()).toBe('p@ss "wörd" $HOME\t1');
    expect((await resolver.resolveName(secret)).reveal()).toBe(found.reveal());
    expect(`${JSON.stringify({ found })} ${String(found)}`).toBe('{"found":"[REDACTED]"} [REDACTED]');
  });

  it('that are missing are a named error, and are asked for again', async () => {
    const secret = newName();
    await expect(resolver.resolve(reference(secret))).rejects.toThrow(MissingSecretError);
    await expect(resolver.resolve(reference(secret))).rejects.toThrow(
      `${reference(secret)}: there is no such`,
    );
    await expect(resolver.resolveName(secret)).rejects.toThrow(`secret ${secret}: not in any of ${name}`);
    store.put(secret, 'now there');
    expect((await resolver.resolve(reference(secret))).reveal()).toBe('now there');
  });

  it('that are empty are missing: an empty password is nobody’s intention', async () => {
    const secret = newName();
    store.put(secret, '');
    await expect(resolver.resolve(reference(secret))).rejects.toThrow(MissingSecretError);
  });

  it('are remembered for their time, and until they are forgotten', async () => {
    const secret = newName();
    store.put(secret, 'old');
    const read = async () => (await resolver.resolve(reference(secret))).reveal();
    expect(await read()).toBe('old');
    store.put(secret, 'new');
    clock.advance(59_000);
    expect(await read()).toBe('old');
    clock.advance(2_000);
    expect(await read()).toBe('new');
    store.put(secret, 'newest');
    resolver.forget();
    expect(await read()).toBe('newest');
  });

  it('are asked for once, however many ask at the same time', async () => {
    const secret = newName();
    store.put(secret, 'shared');
    const before = backend.asked;
    const found = await Promise.all(Array.from({ length: 20 }, () => resolver.resolve(reference(secret))));
    expect(new Set(found.map((each) => each.reveal()))).toEqual(new Set(['shared']));
    expect(backend.asked - before).toBe(1);
  });

  it('are not remembered when nothing is to be', async () => {
    const secret = newName();
    store.put(secret, 'one');
    const forgetful = new SecretsResolver({ backends: [backend], ttlSeconds: 0 });
    expect((await forgetful.resolve(reference(secret))).reveal()).toBe('one');
    store.put(secret, 'two');
    expect((await forgetful.resolve(reference(secret))).reveal()).toBe('two');
  });
});

describe.each([
  { name: 'vault', open: openVault },
  { name: 'aws', open: openAws },
] as const)('a $name that is away', ({ name, open }) => {
  it('is unavailable and not missing, is passed over in a chain, and comes back', async () => {
    const store = await open();
    const files = await openFile();
    const local = newName();
    files.put(local, 'from the folder');
    const resolver = new SecretsResolver({
      backends: [store.backend, files.backend],
      chain: [store, files].map(({ backend, path }) => ({
        backend,
        locate: (each: string) => ({ path: path(each) }),
      })),
    });
    store.put('kept', 'before');
    expect((await resolver.resolveName('kept')).reveal()).toBe('before');
    await store.break?.();
    // Remembered: an outage shorter than the time to live is not noticed.
    expect((await resolver.resolveName('kept')).reveal()).toBe('before');
    resolver.forget();
    await expect(resolver.resolve(`secret:${name}:${store.path('kept')}`)).rejects.toThrow(
      SecretUnavailableError,
    );
    await expect(resolver.resolveName('kept')).rejects.toMatchObject({
      name: 'SecretUnavailableError',
      retryable: true,
    });
    expect((await resolver.resolveName(local)).reveal()).toBe('from the folder');
    await files.close();
  });
});
