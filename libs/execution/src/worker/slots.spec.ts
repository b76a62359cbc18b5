import { describe, expect, it } from 'vitest';
import { Slots } from './slots.ts';

describe('Slots', () => {
  it('gives at most what is free', () => {
    const slots = new Slots(5);
    expect(slots.take(3)).toBe(3);
    expect([slots.free, slots.used, slots.total]).toEqual([2, 3, 5]);
    expect(slots.take(10)).toBe(2);
    expect(slots.take(1)).toBe(0);
    slots.release(4);
    expect(slots.free).toBe(4);
  });

  it('tells at once that a slot is free', async () => {
    expect(await new Slots(1).whenFree(0)).toBe(true);
  });

  it('tells everybody who waits when a slot comes free', async () => {
    const slots = new Slots(1);
    slots.take(1);
    const waiting = [slots.whenFree(), slots.whenFree(60_000)];
    slots.release();
    expect(await Promise.all(waiting)).toEqual([true, true]);
  });

  it('wakes once for the slots that are given back in one turn, when all of them are', async () => {
    const slots = new Slots(3);
    slots.take(3);
    const seen = slots.whenFree().then(() => slots.free);
    slots.release();
    slots.release();
    slots.release();
    expect(await seen).toBe(3);
  });

  it('stops waiting after the time-out, and a later slot finds nobody', async () => {
    const slots = new Slots(1);
    slots.take(1);
    expect(await slots.whenFree(1)).toBe(false);
    slots.release();
    await new Promise((resolve) => setImmediate(resolve));
    expect(slots.free).toBe(1);
  });

  it('wakes those who wait without a slot, so that they can see the stop', async () => {
    const slots = new Slots(1);
    slots.take(1);
    const waiting = slots.whenFree();
    slots.wake();
    await waiting;
    expect(slots.free).toBe(0);
  });
});
