import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

const never = new AbortController().signal;

describe('turns', () => {
  it('are given up to their number, then in order', async () => {
    const turns = new Turns(2);
    const got: number[] = [];
    const asked = [0, 1, 2, 3].map(async (index) => {
      if (await turns.take(never)) got.push(index);
    });
    await Promise.all(asked.slice(0, 2));
    expect({ got, taken: turns.taken, waiting: turns.waiting }).toEqual({
      got: [0, 1],
      taken: 2,
      waiting: 2,
    });
    turns.giveBack();
    await asked[2];
    turns.giveBack();
    await asked[3];
    expect(got).toEqual([0, 1, 2, 3]);
    turns.giveBack();
    turns.giveBack();
    expect(turns.taken).toBe(0);
  });

  it('pass over those that have given up', async () => {
    const turns = new Turns(1);
    await turns.take(never);
    const gone = new AbortController();
    const [first, second] = [turns.take(gone.signal), turns.take(never)];
    gone.abort();
    expect(await first).toBe(false);
    expect(await turns.take(gone.signal)).toBe(false);
    turns.giveBack();
    expect(await second).toBe(true);
    expect({ taken: turns.taken, waiting: turns.waiting }).toEqual({ taken: 1, waiting: 0 });
  });
});
