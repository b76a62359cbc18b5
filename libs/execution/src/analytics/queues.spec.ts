import { describe, expect, it } from 'vitest';
import type { LaneBacklog, WorkerRecord } from '@spine/database';
import { queueStates } from './queues.ts';

const now = new Date('2026-01-31T12:00:00Z');
const backlog = (lane: string, more: Partial<LaneBacklog> = {}): LaneBacklog => ({
  lane,
  waiting: 0,
  waitingIsCapped: false,
  due: 0,
  oldestDueAt: null,
  running: 0,
  ...more,
});
const worker = (lanes: string[], more: Partial<WorkerRecord> = {}): WorkerRecord => ({
  workerId: 'w',
  hostname: 'h',
  pid: 1,
  version: '1',
  lanes,
  handlers: [],
  slots: 10,
  running: 0,
  status: 'active',
  isLive: true,
  startedAt: now,
  lastSeenAt: now,
  ...more,
});

describe('the state of queues', () => {
  it('joins what waits, who serves it and what was said about it, by name', () => {
    const lanes = [backlog('b', { waiting: 3, due: 2, running: 1, oldestDueAt: new Date(+now - 5_000) })];
    const workers = [worker(['a', 'b']), worker(['b'], { slots: 5 }), worker(['c'], { isLive: false })];
    const paused = [{ lane: 'd', pausedAt: now, pausedBy: 'ops', note: 'deploy' }];
    const states = queueStates({ now, lanes }, workers, paused);
    expect(states.map(({ lane }) => lane)).toEqual(['a', 'b', 'd']);
    expect(states[0]).toMatchObject({
      waiting: 0,
      oldestDueAgeMs: null,
      workers: 1,
      slots: 10,
      paused: null,
    });
    expect(states[1]).toEqual({
      lane: 'b',
      waiting: 3,
      waitingIsCapped: false,
      due: 2,
      running: 1,
      oldestDueAgeMs: 5_000,
      workers: 2,
      slots: 15,
      paused: null,
    });
    expect(states[2]).toMatchObject({ workers: 0, slots: 0, paused: { at: now, by: 'ops', note: 'deploy' } });
  });
});
