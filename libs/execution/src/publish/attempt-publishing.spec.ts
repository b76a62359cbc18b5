import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../worker/abort.ts';
import { AttemptPublishing } from './attempt-publishing.ts';
import { nextPhase } from './phase.ts';
import type { PublishEvent, PublishPhase } from './phase.ts';
import { AlreadyPublishedError, PublishError } from './published.ts';

const EVENTS: readonly PublishEvent[] = ['begin', 'commit', 'committed', 'roll_back', 'lose_sight', 'close'];

describe('the phases of a publication', () => {
  it('keep what an attempt has decided, in any order of events', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS)), (events) => {
        let phase: PublishPhase = 'open';
        let commits = 0;
        let isClosed = false;
        for (const event of events) {
          const next = nextPhase(phase, event);
          if (next === null) continue;
          // After the attempt's end nothing begins to commit; the end waits for what has begun.
          if (event === 'commit') expect(isClosed).toBe(false);
          if (event === 'close') {
            expect(phase).not.toBe('committing');
            isClosed = true;
          }
          if (event === 'committed') commits += 1;
          if (phase === 'published' || phase === 'unknown') expect(next).toBe(phase);
          phase = next;
        }
        expect(commits).toBe(phase === 'published' ? 1 : 0);
      }),
    );
  });
});

describe('AttemptPublishing', () => {
  it('lets the end of the attempt wait for a commit under way', async () => {
    const publishing = new AttemptPublishing('run');
    publishing.begin();
    publishing.commit(null);
    const told: string[] = [];
    const closed = publishing.close().then((end) => told.push(end));
    await Promise.resolve();
    expect(told).toEqual([]);
    publishing.committed();
    await closed;
    expect(told).toEqual(['published']);
  });

  it('says that nothing was published when the commit under way is rolled back', async () => {
    const publishing = new AttemptPublishing('run');
    publishing.begin();
    publishing.commit(null);
    const closed = publishing.close();
    publishing.rolledBack();
    expect(await closed).toBe('none');
    expect(() => publishing.begin()).toThrow(PublishError);
  });

  it('says when nobody knows', async () => {
    const publishing = new AttemptPublishing('run');
    publishing.begin();
    publishing.commit(null);
    publishing.loseSight();
    expect(await publishing.close()).toBe('unknown');
    expect(() => publishing.begin()).toThrow(PublishError);
  });

  it('commits nothing of an attempt that was interrupted or has ended', async () => {
    const interrupted = new AttemptPublishing('run');
    interrupted.begin();
    expect(() => interrupted.commit('cancelled')).toThrow(new AttemptAbortedError('cancelled'));
    const ended = new AttemptPublishing('run');
    ended.begin();
    expect(await ended.close()).toBe('none');
    expect(() => ended.commit(null)).toThrow('without waiting for its publication');
    ended.rolledBack();
  });

  it('is used once', () => {
    const publishing = new AttemptPublishing('run');
    publishing.begin();
    expect(() => publishing.begin()).toThrow('is under way');
    publishing.commit(null);
    publishing.committed();
    expect(() => publishing.begin()).toThrow(AlreadyPublishedError);
  });
});
