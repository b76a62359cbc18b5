import { describe, expect, it, vi } from 'vitest';
import { newId } from '@spine/core';
import { Metrics, silentLogger } from '@spine/observability';
import { EARLY_LOOKS_MS, EARLY_TRUSTED_MS } from '../queue/early.ts';
import { MemoryHintQueue } from '../queue/memory.ts';
import type { Delivery, Hint, HintConsumer } from '../queue/port.ts';
import { HintIntake } from './hint-intake.ts';
import { Slots } from './slots.ts';

const LANE = 'default';
const NO_PAUSES = { has: () => false, changed: () => Promise.resolve() };
const COMPLETED = { outcome: 'completed', error: null, fault: null } as const;

function early(runId = newId()): Hint {
  return { lane: LANE, priority: 2, runIds: [runId], label: 'task:echo', delayMs: 0, early: true };
}

/** One hint goes to a worker with one slot; answers with what it ended with, and how many slots are taken then. */
async function take(
  hint: Hint,
  look: (stop: () => void) => 'gone' | 'gone, and its slot taken' | typeof COMPLETED,
) {
  const queue = new MemoryHintQueue();
  const slots = new Slots(1);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  const metrics = new Metrics('test');
  const intake = new HintIntake({
    queue,
    slots,
    stopping: stopping.signal,
    pausedLanes: NO_PAUSES,
    metrics,
    logger: silentLogger(),
    execute: (runIds, _gated, onEnd) => {
      expect(runIds).toEqual(hint.runIds);
      const outcome = look(stop);
      if (outcome !== 'gone, and its slot taken') slots.release();
      onEnd(outcome === 'gone, and its slot taken' ? 'gone' : outcome);
    },
  });
  await queue.publish([hint]);
  const inner = queue.consume(LANE);
  const outcomes = await new Promise<Readonly<Record<string, number>>>((resolve) => {
    const consumer: HintConsumer = {
      deaf: false,
      close: () => inner.close(),
      next: async () => {
        const delivery = await inner.next();
        if (delivery === null) return null;
        const finish: Delivery['finish'] = async (report) => {
          await delivery.finish(report);
          resolve(report.outcomes);
        };
        return { ...delivery, finish };
      },
    };
    void intake.run(LANE, consumer);
  });
  stop();
  await inner.close();
  const { waiting } = await queue.counts(LANE);
  return { outcomes, used: slots.used, again: waiting === 0 ? null : await queue.consume(LANE).next() };
}

describe('a hint that came early', () => {
  it('has its run looked for until it is there', async () => {
    let looks = 0;
    const { outcomes, used } = await take(early(), () => {
      looks += 1;
      return looks < 4 ? 'gone' : COMPLETED;
    });
    expect({ outcomes, looks, used }).toEqual({ outcomes: { completed: 1 }, looks: 4, used: 0 });
  });

  it('is given up after the last look, none of which keeps a slot', async () => {
    let looks = 0;
    const { outcomes, used } = await take(early(), () => {
      looks += 1;
      return 'gone';
    });
    expect({ outcomes, looks, used }).toEqual({
      outcomes: { gone: 1 },
      looks: 1 + EARLY_LOOKS_MS.length,
      used: 0,
    });
  });

  it('is left to another worker by one that stops', async () => {
    const hint = early();
    const { outcomes, used, again } = await take(hint, (stop) => {
      stop();
      return 'gone';
    });
    expect({ outcomes, used }).toEqual({ outcomes: { given_back: 1 }, used: 0 });
    expect(again).toMatchObject({ runIds: hint.runIds, early: true });
  });

  it('is left to another worker by one whose slots are taken meanwhile', async () => {
    const hint = early();
    const { outcomes, again } = await take(hint, () => 'gone, and its slot taken');
    expect(outcomes).toEqual({ given_back: 1 });
    expect(again).toMatchObject({ runIds: hint.runIds, early: true });
  });

  it('is looked for longer than a row is trusted to take', () => {
    expect(EARLY_LOOKS_MS.reduce<number>((sum, ms) => sum + ms, 0)).toBeGreaterThan(EARLY_TRUSTED_MS);
  });
});

it('a lane is said to wait while a hint of it has more runs than there are slots', async () => {
  const queue = new MemoryHintQueue();
  const slots = new Slots(1);
  const stopping = new AbortController();
  const calls: (() => void)[] = [];
  const intake = new HintIntake({
    queue,
    slots,
    stopping: stopping.signal,
    pausedLanes: NO_PAUSES,
    metrics: new Metrics('test'),
    logger: silentLogger(),
    execute: (_runIds, _gated, onEnd) => {
      calls.push(() => {
        slots.release();
        onEnd(COMPLETED);
      });
    },
  });
  await queue.publish([{ ...early(), early: false, runIds: [newId(), newId()] }]);
  const consumer = queue.consume(LANE);
  const running = intake.run(LANE, consumer);
  await vi.waitUntil(() => calls.length === 1);
  expect(intake.waits(LANE)).toBe(true);
  expect(intake.waits('other')).toBe(false);
  calls[0]?.();
  // The slot is free, and the hint has not been told yet.
  expect([slots.free, intake.waits(LANE)]).toEqual([1, true]);
  await vi.waitUntil(() => calls.length === 2);
  expect(intake.waits(LANE)).toBe(false);
  calls[1]?.();
  stopping.abort();
  slots.wake();
  await consumer.close();
  await running;
});

it('of a hint that did not come early a run is looked for once', async () => {
  let looks = 0;
  const { outcomes } = await take({ ...early(), early: false }, () => {
    looks += 1;
    return 'gone';
  });
  expect({ outcomes, looks }).toEqual({ outcomes: { gone: 1 }, looks: 1 });
});
