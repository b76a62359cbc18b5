import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareInLine } from './admit.ts';
import { decodeGates } from './gate.ts';
import type { Gate } from './gate.ts';
import type { LineHead, LineRow } from './successor-rows.ts';
import { decideSuccession } from './successors.ts';

const place = (key: string, limit: number): Gate => ({ type: 'concurrency', key, limit, from: 'spec' });

function waiting(runId: string, more: Partial<LineRow> = {}): LineRow {
  return {
    runId,
    kind: 'task',
    name: 'echo',
    lane: 'default',
    priority: 2,
    gates: [place('k', 1)],
    params: null,
    mine: true,
    ...more,
  };
}

const head = (line: readonly LineRow[], more: Partial<LineHead> = {}): LineHead => ({
  key: 'k',
  version: '1',
  limit: 1,
  held: 0,
  reserved: [],
  line,
  ...more,
});

const decide = (heads: readonly LineHead[], room = 10) => {
  const { runs, open, versions } = decideSuccession(heads, ({ gates }) => decodeGates(gates), room);
  return { runs: runs.map(({ runId }) => runId), open, versions };
};

describe('the places of a key', () => {
  it('go to the first of its line, and nobody needs to be told', () => {
    expect(decide([head([waiting('a')])])).toEqual({
      runs: ['a'],
      open: [],
      versions: [{ key: 'k', version: '1', limit: 1 }],
    });
  });

  it('that nobody waits for are open', () => {
    expect(decide([head([])])).toEqual({ runs: [], open: ['k'], versions: [] });
  });

  it('that are all held are nobody’s business', () => {
    expect(decide([head([waiting('a')], { held: 1 })])).toEqual({ runs: [], open: [], versions: [] });
  });

  it('stay with who is ahead and has to be started elsewhere', () => {
    const line = [waiting('a', { mine: false }), waiting('b')];
    expect(decide([head(line)])).toMatchObject({ runs: [], open: ['k'] });
    const two = { gates: [place('k', 2)] };
    const longer = [waiting('a', { mine: false, ...two }), waiting('b', two)];
    expect(decide([head(longer, { limit: 2 })])).toMatchObject({ runs: ['b'], open: ['k'] });
  });

  it('stay with who was told, who need not be told again', () => {
    const reserved = [{ runId: 'a', priority: 2 }];
    expect(decide([head([waiting('b')], { reserved })])).toMatchObject({ runs: [], open: [] });
    // Told, and here it is.
    expect(decide([head([waiting('a')], { reserved })])).toMatchObject({ runs: ['a'], open: [] });
  });

  it('are not given to a run with a gate that was not looked at', () => {
    const rate: Gate = {
      type: 'rate',
      key: 'r',
      rate: { algorithm: 'token_bucket', limit: 1, perMs: 1_000, burst: 1 },
      from: 'spec',
    };
    const encoded = { type: 'rate', key: 'r', algorithm: 'token_bucket', limit: 1, per_ms: 1_000, burst: 1 };
    for (const other of [place('k2', 1), encoded, rate]) {
      const line = [waiting('a', { gates: [place('k', 1), other] })];
      expect(decide([head(line)])).toMatchObject({ runs: [], open: ['k'] });
    }
    // Whose gates cannot be read here.
    expect(decide([head([waiting('a', { gates: 'later' })])])).toMatchObject({ runs: [], open: ['k'] });
  });

  it('are taken under all keys of a run or under none', () => {
    const both = waiting('a', { gates: [place('k', 1), place('k2', 1)] });
    const k2 = head([], { key: 'k2', version: '7' });
    expect(decide([head([both]), k2])).toEqual({
      runs: ['a'],
      open: [],
      versions: [
        { key: 'k', version: '1', limit: 1 },
        { key: 'k2', version: '7', limit: 1 },
      ],
    });
    expect(decide([head([both]), { ...k2, held: 1 }])).toMatchObject({ runs: [], open: ['k'] });
  });

  it('are open where there is no room for whoever waits', () => {
    expect(decide([head([waiting('a')])], 0)).toMatchObject({ runs: [], open: ['k'] });
  });
});

describe('whatever the lines are like', () => {
  const rows = fc.uniqueArray(
    fc.record({
      runId: fc.string({ minLength: 1, maxLength: 3 }),
      priority: fc.integer({ min: 0, max: 4 }),
      mine: fc.boolean(),
    }),
    { selector: ({ runId }) => runId, maxLength: 12 },
  );

  it('no limit is exceeded, no room, and nobody is passed', () => {
    fc.assert(
      fc.property(
        rows,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 0, max: 6 }),
        (waiters, limit, held, room) => {
          const line = waiters
            .map(({ runId, ...more }) => waiting(runId, { ...more, gates: [place('k', limit)] }))
            .sort(compareInLine)
            .slice(0, Math.max(0, limit - held));
          const { runs, open } = decide([head(line, { limit, held })], room);
          expect(runs.length).toBeLessThanOrEqual(Math.min(room, Math.max(0, limit - held)));
          const others = line.filter(({ runId }) => !runs.includes(runId));
          // Each keeps a place, and their line is told.
          expect(held + runs.length + others.length).toBeLessThanOrEqual(Math.max(held, limit));
          if (others.length > 0) expect(open).toEqual(['k']);
        },
      ),
    );
  });
});
