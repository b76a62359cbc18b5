import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventHorizon } from './horizon.ts';

describe('the horizon of events', () => {
  it('is not known before the writers of the first look are gone', () => {
    const horizon = new EventHorizon();
    horizon.look(10, ['a', 'b']);
    expect(horizon.settled).toBeNull();
    horizon.look(12, ['b', 'c']);
    expect(horizon.settled).toBeNull();
    // c began after the first look, and does not hold it up.
    horizon.look(14, ['c']);
    expect(horizon.settled).toBe(10);
    expect(horizon.covers(10)).toBe(true);
    expect(horizon.covers(11)).toBe(false);
  });

  it('is the last id where nobody writes', () => {
    const horizon = new EventHorizon();
    horizon.look(0, []);
    expect(horizon.settled).toBe(0);
    horizon.look(5, []);
    expect(horizon.settled).toBe(5);
  });

  /** What a history does: a transaction takes ids while it is under way, and then commits or rolls back. */
  type Step =
    { readonly do: 'take' | 'commit' | 'rollback'; readonly writer: number } | { readonly do: 'look' };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      do: fc.constantFrom('take' as const, 'commit' as const, 'rollback' as const),
      writer: fc.nat(4),
    }),
    fc.record({ do: fc.constant('look' as const) }),
  );

  /** Follows a history, and tells which visible events a client would never get if it resumed at every horizon. */
  function skippedBy(
    steps: readonly Step[],
    cursorOf: (horizon: EventHorizon, seen: ReadonlySet<number>) => number,
  ): number[] {
    const horizon = new EventHorizon();
    const open = new Map<number, { name: string; ids: number[] }>();
    const visible = new Set<number>();
    const received = new Set<number>();
    let last = 0;
    let begun = 0;
    let cursor = 0;
    const look = (): void => {
      horizon.look(
        last,
        [...open.values()].map(({ name }) => name),
      );
      // Reconnects at every look: all that is known is the cursor.
      for (const id of visible) if (id > cursor) received.add(id);
      cursor = Math.max(cursor, cursorOf(horizon, visible));
    };
    for (const each of steps) {
      if (each.do === 'look') look();
      else if (each.do === 'take') {
        const writer = open.get(each.writer) ?? { name: `${each.writer}/${(begun += 1)}`, ids: [] };
        writer.ids.push((last += 1));
        open.set(each.writer, writer);
      } else {
        if (each.do === 'commit') for (const id of open.get(each.writer)?.ids ?? []) visible.add(id);
        open.delete(each.writer);
      }
    }
    for (const { ids } of open.values()) for (const id of ids) visible.add(id);
    open.clear();
    look();
    look();
    return [...visible].filter((id) => !received.has(id));
  }

  const steps = fc.array(step, { maxLength: 60 });

  it('lets nobody who resumes there miss an event, in whatever order transactions commit', () => {
    fc.assert(
      fc.property(steps, (history) => {
        expect(skippedBy(history, (horizon) => horizon.settled ?? 0)).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is needed: who resumes after the last id seen misses events', () => {
    const naive = fc.check(
      fc.property(steps, (history) => skippedBy(history, (_, seen) => Math.max(0, ...seen)).length === 0),
      { numRuns: 2_000 },
    );
    expect(naive.failed).toBe(true);
  });

  it('reaches the last id once nobody writes any more', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.constantFrom('a', 'b', 'c'))), (looks) => {
        const horizon = new EventHorizon();
        looks.forEach((writers, index) => horizon.look(index, writers));
        horizon.look(looks.length, []);
        horizon.look(looks.length, []);
        expect(horizon.settled).toBe(looks.length);
      }),
    );
  });
});
