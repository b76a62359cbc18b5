import { describe, expect, it } from 'vitest';
import { silentLogger } from '@spine/observability';
import { Ticker } from './ticker.ts';

const base = { name: 'test', logger: silentLogger() };

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

describe('Ticker', () => {
  it('starts with a round, and goes on at its pace', async () => {
    const third = deferred();
    let rounds = 0;
    const ticker = new Ticker({
      ...base,
      everyMs: 1,
      tick: () => {
        rounds += 1;
        if (rounds === 3) third.resolve();
        return Promise.resolve(false);
      },
    });
    ticker.start();
    await third.promise;
    await ticker.stop();
    const last = rounds;
    await new Promise((resolve) => setImmediate(resolve));
    expect(rounds).toBe(last);
  });

  it('goes on at once while there is more to do', async () => {
    const done = deferred();
    let rounds = 0;
    const ticker = new Ticker({
      ...base,
      // It would not come to a second round within the test's time.
      everyMs: 3_600_000,
      tick: () => {
        rounds += 1;
        if (rounds === 5) done.resolve();
        return Promise.resolve(rounds < 5);
      },
    });
    ticker.start();
    await done.promise;
    await ticker.stop();
    expect(rounds).toBe(5);
  });

  it('survives a failed round, and says so', async () => {
    const second = deferred();
    const warnings: unknown[] = [];
    const logger = silentLogger();
    logger.warn = (fields: unknown) => void warnings.push(fields);
    let rounds = 0;
    const ticker = new Ticker({
      name: 'relay',
      logger,
      everyMs: 1,
      tick: () => {
        rounds += 1;
        if (rounds === 1) return Promise.reject(new Error('no database'));
        second.resolve();
        return Promise.resolve(false);
      },
    });
    ticker.start();
    await second.promise;
    await ticker.stop();
    expect(warnings).toMatchObject([{ service: 'relay', err: { message: 'no database' } }]);
  });

  it('never runs two rounds at once, however often it is started', async () => {
    const enough = deferred();
    let active = 0;
    let most = 0;
    let rounds = 0;
    const ticker = new Ticker({
      ...base,
      everyMs: 0,
      tick: async () => {
        active += 1;
        most = Math.max(most, active);
        await new Promise((resolve) => setImmediate(resolve));
        active -= 1;
        rounds += 1;
        if (rounds >= 5) enough.resolve();
        return false;
      },
    });
    ticker.start();
    ticker.start();
    await enough.promise;
    await ticker.stop();
    expect(most).toBe(1);
  });

  it('stops after the round under way, which is told by its signal', async () => {
    const started = deferred();
    const release = deferred();
    let told = false;
    let stopped = false;
    const ticker = new Ticker({
      ...base,
      everyMs: 3_600_000,
      tick: async (signal) => {
        started.resolve();
        await release.promise;
        told = signal.aborted;
        return true;
      },
    });
    ticker.start();
    await started.promise;
    const stop = ticker.stop().then(() => (stopped = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    release.resolve();
    await stop;
    expect(told).toBe(true);
  });

  it('may be stopped before it starts', async () => {
    let rounds = 0;
    const ticker = new Ticker({ ...base, everyMs: 1, tick: () => Promise.resolve(++rounds > 0) });
    await ticker.stop();
    ticker.start();
    await ticker.stop();
    expect(rounds).toBe(0);
  });
});
