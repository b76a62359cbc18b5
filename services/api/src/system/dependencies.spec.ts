import { describe, expect, it } from 'vitest';
import { silentLogger } from '@spine/observability';
import { DependencyCheck } from './dependencies.ts';

describe('a dependency', () => {
  it('is up when it answers and down when it fails', async () => {
    const answers = [() => Promise.resolve(), () => Promise.reject(new Error('refused'))];
    const check = new DependencyCheck('it', () => (answers.shift() ?? Promise.resolve)(), silentLogger());
    expect(await check.status()).toMatchObject({ status: 'up' });
    expect(await check.status()).toMatchObject({ status: 'down' });
  });

  it('that hangs is down, is asked once however many look, and again when it has answered', async () => {
    let asked = 0;
    let answer: () => void = () => undefined;
    const ask = (): Promise<void> => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    };
    const check = new DependencyCheck('it', ask, silentLogger());
    const looks = await Promise.all([check.status(), check.status(), check.status()]);
    expect(looks.map(({ status }) => status)).toEqual(['down', 'down', 'down']);
    expect((await check.status()).status).toBe('down');
    expect(asked).toBe(1);

    const looking = check.status();
    answer();
    expect((await looking).status).toBe('up');
    const next = check.status();
    answer();
    expect((await next).status).toBe('up');
    expect(asked).toBe(2);
  });
});
