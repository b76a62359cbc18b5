import { expect, it } from 'vitest';
import { unlessStopped } from './unless-stopped.ts';

it('gives the work’s result or error while nobody stops it', async () => {
  const { signal } = new AbortController();
  await expect(unlessStopped(signal, Promise.resolve(5))).resolves.toBe(5);
  await expect(unlessStopped(signal, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});

it('does not wait for work that was stopped', async () => {
  const controller = new AbortController();
  const waiting = unlessStopped(controller.signal, new Promise(() => undefined));
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(unlessStopped(controller.signal, Promise.resolve(1))).rejects.toThrow('enough');
});
