/** How many at a time, and in which order: where an executor promises it. */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ExecutionRef, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { linesOf } from './executor-files.ts';
import type { Suite } from './executor.spec.ts';
import type { Traits } from './executors.ts';

const LONG = { timeoutMs: 20_000 };

export function describePlaces({ opened, newFile, spec }: Suite, { concurrency: places }: Traits): void {
  if (places === null) return;
  const waitForAll = async (refs: readonly ExecutionRef[]): Promise<void> => {
    for (const ref of refs)
      expect(await opened().executor.wait(ref, LONG)).toMatchObject({ type: 'completed' });
  };

  /** The largest number that ran at the same time, by what they wrote on beginning and ending. */
  const most = (file: string): number => {
    let [now, top] = [0, 0];
    for (const line of linesOf(file)) {
      now += line.startsWith('+') ? 1 : -1;
      top = Math.max(top, now);
    }
    return top;
  };

  describe('places', () => {
    it('are all used, and there are no more', async () => {
      const { begin } = opened();
      const [file, release] = [newFile(), newFile()];
      const refs: ExecutionRef[] = [];
      for (let n = 0; n < places * 4; n += 1) {
        refs.push(await begin(spec('meet', { file, name: String(n), together: places, release })));
      }
      await waitForAll(refs);
      expect(most(file)).toBe(places);
    });

    it('go to whoever came first, the more urgent before the less', async () => {
      const { begin } = opened();
      const [file, release, order] = [newFile(), newFile(), newFile()];
      const blockers: ExecutionRef[] = [];
      for (let place = 0; place < places; place += 1) {
        blockers.push(
          await begin(spec('meet', { file, name: String(place), together: places + 1, release })),
        );
      }
      await waitFor(() => linesOf(file).length === places);
      const note = (text: string, priority: WorkSpec['priority'] = 'normal') =>
        begin(spec('note', { file: order, text }, { priority }));
      const refs: ExecutionRef[] = [];
      for (const [text, priority] of [
        ['first', 'normal'],
        ['second', 'normal'],
        ['last', 'slow'],
        ['urgent', 'realtime'],
      ] as const) {
        refs.push(await note(text, priority));
      }
      // One place alone becomes free, so that what follows goes through it one by one.
      const [freed, ...kept] = blockers;
      if (freed !== undefined) await opened().executor.cancel(freed);
      if (places === 1) writeFileSync(release, '');
      await waitForAll(refs);
      expect(linesOf(order)).toEqual(
        places === 1 ? ['first', 'second', 'last', 'urgent'] : ['urgent', 'first', 'second', 'last'],
      );
      writeFileSync(release, '');
      await waitForAll(kept);
    });

    it('are free again when what held them is over, however it ends', async () => {
      const { executor, begin } = opened();
      const brief = { timeoutSeconds: 0.05, maxRetries: 0 };
      const refs: ExecutionRef[] = [];
      for (let n = 0; n < places * 2; n += 1) {
        refs.push(await begin(spec('stubborn', { file: newFile(), release: newFile() }, brief)));
      }
      for (const ref of refs) expect(await executor.wait(ref, LONG)).toMatchObject({ type: 'timed_out' });
      await waitForAll([await begin(spec('nothing'))]);
    });
  });
}
