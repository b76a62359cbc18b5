import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GroupCommit } from './group-commit.ts';
import type { FlushInfo } from './group-commit.ts';

function sqlError(code: string): Error {
  return Object.assign(new Error(`SQLSTATE ${code}`), { code });
}

interface Gate {
  readonly items: readonly number[];
  readonly info: FlushInfo;
  commit(): void;
  fail(error: unknown): void;
}

/** A group commit whose statements end when the test says so. */
function gated(options: { maxItems?: number; retries?: number; inFlight?: number } = {}) {
  const gates: Gate[] = [];
  let announce: () => void = () => undefined;
  const group = new GroupCommit<number, string>({
    ...options,
    flush: (items, info) =>
      new Promise((resolve, reject) => {
        gates.push({
          items,
          info,
          commit: () => resolve(items.map((item) => `stored ${item}`)),
          fail: reject,
        });
        announce();
      }),
  });
  return {
    group,
    gates,
    /** The statement of that number, once it was sent. */
    async gate(index: number): Promise<Gate> {
      for (;;) {
        const gate = gates[index];
        if (gate !== undefined) return gate;
        await new Promise<void>((resolve) => (announce = resolve));
      }
    },
  };
}

/** A group commit over a set of numbers; `refuses` are those a statement fails for, whatever else it carries. */
function storing(refuses: (item: number) => boolean, maxItems = 500) {
  const stored: number[] = [];
  const sizes: number[] = [];
  const group = new GroupCommit<number, number>({
    maxItems,
    flush: (items) => {
      sizes.push(items.length);
      if (items.some(refuses)) return Promise.reject(sqlError('23514'));
      stored.push(...items);
      return Promise.resolve(items.map((item) => item * 2));
    },
  });
  return { group, stored, sizes };
}

describe('GroupCommit', () => {
  it('sends what was submitted in one turn with one statement, and each caller gets its own outcome', async () => {
    const { group, gate, gates } = gated();
    const answers = [group.submit(1), group.submit(2), group.submit(3)];
    (await gate(0)).commit();
    expect(await Promise.all(answers)).toEqual(['stored 1', 'stored 2', 'stored 3']);
    expect(gates.map(({ items }) => items)).toEqual([[1, 2, 3]]);
  });

  it('tells callers that share their answers which item each is for', async () => {
    const { group } = storing((item) => item === 2);
    const answers: string[] = [];
    for (const item of [1, 2, 3]) {
      group.add(
        item,
        (outcome, of) => answers.push(`${of}: ${outcome}`),
        (error, of) => answers.push(`${of}: ${String(error)}`),
      );
    }
    await group.drain();
    expect(answers.toSorted()).toEqual(['1: 2', '2: Error: SQLSTATE 23514', '3: 6']);
  });

  it('sends what arrives during a statement with the next one, and not before the first has returned', async () => {
    const { group, gate, gates } = gated();
    const first = group.submit(1);
    const open = await gate(0);
    const later = [group.submit(2), group.submit(3)];
    expect(group.pending).toBe(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(gates).toHaveLength(1);
    open.commit();
    (await gate(1)).commit();
    await Promise.all([first, ...later]);
    expect(gates.map(({ items }) => items)).toEqual([[1], [2, 3]]);
  });

  it('has as many statements under way as allowed, and drains only when all have returned', async () => {
    const { group, gate, gates } = gated({ inFlight: 2 });
    const first = group.submit(1);
    const one = await gate(0);
    const second = group.submit(2);
    const two = await gate(1);
    const third = group.submit(3);
    let drained = false;
    const drain = group.drain().then(() => (drained = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(gates).toHaveLength(2);
    two.commit();
    expect(await second).toBe('stored 2');
    const three = await gate(2);
    expect(three.items).toEqual([3]);
    three.commit();
    expect(await third).toBe('stored 3');
    await new Promise((resolve) => setImmediate(resolve));
    expect(drained).toBe(false);
    one.commit();
    expect(await first).toBe('stored 1');
    await drain;
  });

  it('answers nobody before the statement has returned', async () => {
    const { group, gate } = gated();
    let answered = false;
    const answer = group.submit(1).then(() => (answered = true));
    const open = await gate(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    open.commit();
    await answer;
  });

  it('never sends more than maxItems at once, and keeps the order', async () => {
    const { group, stored, sizes } = storing(() => false, 4);
    const items = Array.from({ length: 11 }, (_, index) => index);
    expect(await group.submitAll(items)).toEqual(items.map((item) => item * 2));
    expect(sizes).toEqual([4, 4, 3]);
    expect(stored).toEqual(items);
  });

  it('lets an item that cannot be stored fail alone', async () => {
    const { group, stored } = storing((item) => item === 3);
    const answers = await Promise.allSettled([1, 2, 3, 4, 5].map((item) => group.submit(item)));
    expect(answers.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(stored).toEqual([1, 2, 4, 5]);
  });

  it('stores every good item exactly once whatever bad ones surround it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        async (bad, maxItems) => {
          const { group, stored } = storing((item) => bad[item] === true, maxItems);
          const answers = await Promise.allSettled(bad.map((_, item) => group.submit(item)));
          expect(answers.map(({ status }) => status === 'rejected')).toEqual(bad);
          expect(stored).toEqual(bad.flatMap((isBad, item) => (isBad ? [] : [item])));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('sends a batch again after a broken connection, and says that the first may have committed', async () => {
    const { group, gate } = gated();
    const answers = [group.submit(1), group.submit(2)];
    const first = await gate(0);
    expect(first.info.ambiguous).toBe(false);
    first.fail(new Error('Connection terminated unexpectedly'));
    const again = await gate(1);
    expect(again.items).toEqual([1, 2]);
    expect(again.info.ambiguous).toBe(true);
    again.commit();
    expect(await Promise.all(answers)).toEqual(['stored 1', 'stored 2']);
  });

  it('does not call a repeat after a deadlock ambiguous: the first one wrote nothing', async () => {
    const { group, gate } = gated();
    const answer = group.submit(1);
    (await gate(0)).fail(sqlError('40P01'));
    const again = await gate(1);
    expect(again.info.ambiguous).toBe(false);
    again.commit();
    expect(await answer).toBe('stored 1');
  });

  it('keeps a batch ambiguous when a deadlock or a bad item follows the broken connection', async () => {
    const { group, gate } = gated();
    const answers = [group.submit(1), group.submit(2)];
    (await gate(0)).fail(sqlError('08006'));
    (await gate(1)).fail(sqlError('40001'));
    (await gate(2)).fail(sqlError('22P02'));
    for (const index of [3, 4]) {
      const half = await gate(index);
      expect(half.items).toHaveLength(1);
      expect(half.info.ambiguous).toBe(true);
      half.commit();
    }
    await Promise.all(answers);
  });

  it('says which items it does not send again, before their callers hear of it', async () => {
    const told: string[] = [];
    const group = new GroupCommit<number, number>({
      flush: (items) => (items.includes(2) ? Promise.reject(sqlError('23514')) : Promise.resolve(items)),
      onGivenUp: (items) => void told.push(`given up ${items.join()}`),
    });
    const answers = [1, 2].map((item) => group.submit(item).catch(() => told.push(`refused ${item}`)));
    await Promise.all(answers);
    expect(told).toEqual(['given up 2', 'refused 2']);
  });

  it('gives up after its retries, fails the waiting callers and serves the next', async () => {
    const { group, gate, gates } = gated({ retries: 1 });
    const lost = [group.submit(1), group.submit(2)];
    const verdicts = Promise.allSettled(lost);
    (await gate(0)).fail(sqlError('ECONNREFUSED'));
    (await gate(1)).fail(sqlError('ECONNREFUSED'));
    expect((await verdicts).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const next = group.submit(3);
    (await gate(2)).commit();
    expect(await next).toBe('stored 3');
    expect(gates).toHaveLength(3);
  });

  it('does not repeat or halve a batch that failed for a fault of the statement', async () => {
    const { group, gate, gates } = gated();
    const verdicts = Promise.allSettled([group.submit(1), group.submit(2)]);
    (await gate(0)).fail(sqlError('42703'));
    expect((await verdicts).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(gates).toHaveLength(1);
  });

  it('fails callers whose outcomes cannot be told apart', async () => {
    const group = new GroupCommit<number, string>({ flush: () => Promise.resolve(['only one']) });
    const verdicts = await Promise.allSettled([group.submit(1), group.submit(2)]);
    for (const verdict of verdicts) {
      expect(verdict).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('2 items') as string },
      });
    }
  });

  it('drains: resolves at once when idle, else when the last statement has returned', async () => {
    const { group, gate } = gated();
    await group.drain();
    const answer = group.submit(1);
    let drained = false;
    const drain = group.drain().then(() => (drained = true));
    const open = await gate(0);
    const late = group.submit(2);
    open.commit();
    await answer;
    const last = await gate(1);
    expect(drained).toBe(false);
    last.commit();
    await Promise.all([late, drain]);
  });

  it('tells the size of every committed batch', async () => {
    const sizes: number[] = [];
    const group = new GroupCommit<number, number>({
      maxItems: 2,
      flush: (items) =>
        items.includes(1) ? Promise.reject(sqlError('22003')) : Promise.resolve(items.map(() => 0)),
      onFlush: (size) => sizes.push(size),
    });
    await Promise.allSettled([0, 1, 2, 3].map((item) => group.submit(item)));
    expect(sizes).toEqual([1, 2]);
  });
});
