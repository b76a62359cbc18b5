/** Waiting, asking, cancelling, closing. */
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import type { ExecutionRef, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { linesOf } from './executor-files.ts';
import type { Suite } from './executor.spec.ts';
import type { Traits } from './executors.ts';

const LONG = { timeoutMs: 20_000 };

export function describeControl({ opened, newFile, spec }: Suite, traits: Traits): void {
  /** A run that holds, once it does. */
  const holding = async (name = 'hold'): Promise<{ ref: ExecutionRef; file: string }> => {
    const file = newFile();
    const ref = await opened().begin(spec(name, { file }));
    await waitFor(() => linesOf(file).includes('holds'));
    return { ref, file };
  };

  describe('what is not known', () => {
    it('has no status, no end, and cannot be cancelled', async () => {
      const { executor } = opened();
      const ref = { runId: newId() };
      expect(await executor.status(ref)).toBeNull();
      expect(await executor.wait(ref, LONG)).toEqual({ type: 'not_found' });
      expect(await executor.cancel(ref)).toEqual({ type: 'not_found' });
    });
  });

  describe('a wait', () => {
    it('that is over first leaves the work alone; another one sees its end', async () => {
      const { executor } = opened();
      const { ref } = await holding();
      expect(await executor.wait(ref, { timeoutMs: 20 })).toMatchObject({
        type: 'unfinished',
        run: { status: 'running' },
      });
      const waits = [executor.wait(ref, LONG), executor.wait(ref, LONG)];
      await executor.cancel(ref);
      for (const wait of waits) expect(await wait).toMatchObject({ type: 'cancelled' });
    });

    it('ends with the reason of its signal', async () => {
      const { executor } = opened();
      const { ref } = await holding();
      const reason = new Error('enough');
      const controller = new AbortController();
      const wait = executor.wait(ref, { ...LONG, signal: controller.signal });
      controller.abort(reason);
      await expect(wait).rejects.toBe(reason);
      await expect(executor.wait(ref, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      await executor.cancel(ref);
    });
  });

  describe('a cancel', () => {
    it('ends what runs, and aborts its signal', async () => {
      const { executor } = opened();
      const { ref, file } = await holding();
      expect(await executor.cancel(ref, 'not needed')).toMatchObject({ type: 'cancelled', from: 'running' });
      expect(await executor.wait(ref, LONG)).toMatchObject({
        type: 'cancelled',
        run: { status: 'cancelled', result: null },
      });
      if (traits.inThisProcess) await waitFor(() => linesOf(file).includes('aborted'));
      expect(await executor.cancel(ref)).toEqual({ type: 'terminal', status: 'cancelled' });
    });

    it('ends what waits, which never starts', async () => {
      const { executor, begin } = opened();
      const file = newFile();
      const waiting: WorkSpec = spec('note', { file, text: 'started' });
      if (traits.concurrency === null) {
        const ref = await begin({ ...waiting, runAfter: new Date(Date.now() + 3_600_000) });
        expect(await executor.cancel(ref)).toMatchObject({ type: 'cancelled', from: 'pending' });
        expect(await executor.wait(ref, LONG)).toMatchObject({ type: 'cancelled' });
      } else {
        const holders = [];
        for (let place = 0; place < traits.concurrency; place += 1) holders.push(await holding());
        const ref = await begin(waiting);
        expect(await executor.cancel(ref)).toMatchObject({ type: 'cancelled', from: 'queued' });
        expect(await executor.wait(ref, LONG)).toMatchObject({ type: 'cancelled', run: { attempt: 0 } });
        for (const holder of holders) await executor.cancel(holder.ref);
      }
      // What is submitted later runs: the cancelled one had every chance.
      const later = await begin(spec('note', { file: newFile(), text: 'later' }));
      expect(await executor.wait(later, LONG)).toMatchObject({ type: 'completed' });
      expect(existsSync(file)).toBe(false);
    });

    it('of what has ended changes nothing', async () => {
      const { executor, begin } = opened();
      const ref = await begin(spec('nothing'));
      await executor.wait(ref, LONG);
      expect(await executor.cancel(ref)).toEqual({ type: 'terminal', status: 'completed' });
      expect(await executor.status(ref)).toMatchObject({ status: 'completed' });
    });

    const endsChildren = async (): Promise<void> => {
      const { executor } = opened();
      const { ref, file } = await holding('parent');
      await executor.cancel(ref);
      const child = await waitFor(() =>
        linesOf(file)
          .find((line) => line.startsWith('child '))
          ?.slice('child '.length),
      );
      expect(await executor.wait({ runId: child }, LONG)).toMatchObject({
        type: 'cancelled',
        run: { parentRunId: ref.runId },
      });
    };
    if (traits.inThisProcess) it('ends what the run has started as well', endsChildren);
  });

  describe('a close', () => {
    it('accepts nothing more, and ends what only this executor can run', async () => {
      const other = await traits.open();
      const file = newFile();
      const ref = await other.begin(spec('hold', { file }));
      await waitFor(() => linesOf(file).includes('holds'));
      const waiting = await other.begin(spec('note', { file: newFile(), text: 'waits' }));
      await other.executor.close({ graceMs: 0 });
      expect(await other.executor.submit(spec('nothing'))).toEqual({ type: 'rejected', reason: 'closed' });
      if (traits.concurrency === null) {
        expect(await other.executor.wait(ref, LONG)).toMatchObject({ type: 'unfinished' });
      } else {
        expect(await other.executor.wait(ref, LONG)).toMatchObject({ type: 'cancelled' });
        expect(await other.executor.wait(waiting, LONG)).toMatchObject({
          type:
            traits.concurrency === 1 ? 'cancelled' : (expect.stringMatching(/cancelled|completed/) as string),
        });
      }
      await other.close();
    });

    const letsEnd = async (): Promise<void> => {
      const other = await traits.open();
      const [file, release] = [newFile(), newFile()];
      const ref = await other.begin(spec('meet', { file, name: 'a', together: 2, release }));
      await waitFor(() => linesOf(file).includes('+a'));
      const closed = other.executor.close({ graceMs: 20_000 });
      expect(await other.executor.submit(spec('nothing'))).toMatchObject({ reason: 'closed' });
      writeFileSync(release, '');
      await closed;
      expect(await other.executor.wait(ref)).toMatchObject({ type: 'completed' });
      await other.close();
    };
    if (traits.concurrency !== null) it('lets what runs end within the grace', letsEnd);
  });
}
