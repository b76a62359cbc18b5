import { describe, expect, it } from 'vitest';
import type { QueueState } from '../analytics/queues.ts';
import { extraPauseMs, laneReadings, MAX_LANES } from './queue-metrics.ts';

function state(lane: string, more: Partial<QueueState> = {}): QueueState {
  return {
    lane,
    waiting: 0,
    waitingIsCapped: false,
    due: 0,
    running: 0,
    oldestDueAgeMs: null,
    workers: 0,
    slots: 0,
    paused: null,
    ...more,
  };
}

const pause = { at: new Date(0), by: 'ops', note: null };

describe('the pause after a count', () => {
  it('is the usual one, unless the count took more than a twentieth of it', () => {
    expect(extraPauseMs(750, 15_000)).toBe(0);
    expect(extraPauseMs(2_000, 15_000)).toBe(23_000);
  });
});

describe('the readings of lanes', () => {
  it('have configured lanes with and without work, and served ones', () => {
    const readings = laneReadings(
      [state('a', { waiting: 7, due: 5, running: 2, oldestDueAgeMs: 1_500 }), state('c', { workers: 2 })],
      ['a', 'b'],
    );
    expect(readings.map(({ lane }) => lane)).toEqual(['a', 'b', 'c', 'other']);
    expect(readings[0]).toEqual({
      lane: 'a',
      waiting: 7,
      due: 5,
      running: 2,
      workers: 0,
      oldestDueSeconds: 1.5,
      paused: false,
    });
    expect(readings[1]).toMatchObject({ waiting: 0, oldestDueSeconds: 0 });
  });

  it('add up whatever else submitters have named', () => {
    const strangers = [
      state('x1', { waiting: 3, due: 1, oldestDueAgeMs: 9_000 }),
      state('x2', { waiting: 4, running: 2, oldestDueAgeMs: 2_000, paused: pause }),
    ];
    expect(laneReadings(strangers, ['a']).at(-1)).toEqual({
      lane: 'other',
      waiting: 7,
      due: 1,
      running: 2,
      workers: 0,
      oldestDueSeconds: 9,
      paused: true,
    });
  });

  it('are bounded, however many lanes workers serve; nothing is left out of the sums', () => {
    const states = Array.from({ length: 200 }, (_, index) =>
      state(`lane-${index}`, { waiting: 1, workers: 1 }),
    );
    const readings = laneReadings(states, ['a']);
    expect(readings).toHaveLength(MAX_LANES + 1);
    expect(readings.reduce((sum, { waiting }) => sum + waiting, 0)).toBe(200);
  });

  it('count a lane that is really called other with the others, once', () => {
    const readings = laneReadings(
      [state('other', { waiting: 2, workers: 1 }), state('x', { waiting: 3 })],
      [],
    );
    expect(readings).toMatchObject([{ lane: 'other', waiting: 5, workers: 1 }]);
  });

  it('do not go below zero when a clock does', () => {
    expect(laneReadings([state('a', { oldestDueAgeMs: -5 })], ['a'])[0]?.oldestDueSeconds).toBe(0);
  });
});
