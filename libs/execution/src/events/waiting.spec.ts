import { describe, expect, it } from 'vitest';
import { LiveEvent } from './live-event.ts';
import { WaitingBatches } from './waiting.ts';

const never = new AbortController().signal;

function event(id: number, data: unknown = null): LiveEvent {
  return new LiveEvent({
    eventId: String(id),
    runId: 'r',
    epoch: 0,
    eventType: 'e',
    terminal: false,
    timestamp: new Date(0),
    data,
    source: 's',
  });
}

describe('batches that wait for a client', () => {
  it('come in order, each with where to resume after it', () => {
    const waiting = new WaitingBatches(10, 5);
    expect(waiting.cursor).toBe(5);
    waiting.put({ events: [event(7)], cursor: 6 });
    waiting.put({ events: [event(6), event(8)], cursor: 8 });
    expect(waiting.take()).toEqual({ events: [event(7)], cursor: 6 });
    expect(waiting.take()).toEqual({ events: [event(6), event(8)], cursor: 8 });
    expect(waiting.take()).toBeNull();
  });

  it('never move a client back, and move on with the horizon alone', () => {
    const waiting = new WaitingBatches(10, 20);
    waiting.put({ events: [event(19)], cursor: 18 });
    expect(waiting.take()?.cursor).toBe(20);
    waiting.put({ events: [event(21)], cursor: 20 });
    waiting.put({ events: [], cursor: 25 });
    // What waits is seen before whatever resumes at 25.
    expect(waiting.take()).toMatchObject({ cursor: 25 });
    waiting.put({ events: [], cursor: 30 });
    expect(waiting.cursor).toBe(30);
    expect(waiting.take()).toBeNull();
  });

  it('are bounded by their number and by their size, and then none is kept', () => {
    const many = new WaitingBatches(3, 0);
    many.put({ events: [event(1), event(2), event(3)], cursor: 3 });
    expect(many.isOverfull).toBe(false);
    many.put({ events: [event(4)], cursor: 4 });
    expect([many.isOverfull, many.take()]).toEqual([true, null]);

    const large = new WaitingBatches(1_000, 0);
    for (let id = 1; id <= 17; id += 1)
      large.put({ events: [event(id, 'x'.repeat(1024 * 1024))], cursor: id });
    expect([large.isOverfull, large.take()]).toEqual([true, null]);
  });

  it('make room as they are taken', () => {
    const waiting = new WaitingBatches(1, 0);
    for (let id = 1; id < 100; id += 1) {
      waiting.put({ events: [event(id)], cursor: id });
      expect(waiting.take()?.cursor).toBe(id);
    }
    expect(waiting.isOverfull).toBe(false);
  });

  it('wake whoever waits for them, and let go of him when he is gone or it takes too long', async () => {
    const waiting = new WaitingBatches(1, 0);
    const coming = waiting.comes(3_600_000, never);
    waiting.put({ events: [event(1)], cursor: 1 });
    expect(await coming).toBe(true);
    expect(await waiting.comes(1, never)).toBe(false);
    const gone = new AbortController();
    const waited = waiting.comes(3_600_000, gone.signal);
    gone.abort();
    expect(await waited).toBe(false);
    const overfull = waiting.comes(3_600_000, never);
    waiting.put({ events: [event(2)], cursor: 2 });
    expect(await overfull).toBe(true);
  });
});
