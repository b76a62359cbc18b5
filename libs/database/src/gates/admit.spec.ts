import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, compareInLine, judgeGate, UNUSED } from './admit.ts';
import type { BreakerFact, GatedRun, GateFact, GateFacts } from './admit.ts';
import { gateId } from './gate.ts';
import type { Gate } from './gate.ts';
import { nextLookAt, placesAt } from './line.ts';
import { freePermits } from './rate.ts';
import type { RateSpec } from './rate.ts';

const NOW = 1_000_000;
const RATE: RateSpec = { algorithm: 'token_bucket', limit: 4, perMs: 1_000, burst: 4 };
const LIMITS = { a: 1, b: 2, c: 5 } as const;

const ids = Array.from({ length: 24 }, (_, index) => `0190000000-${String(index).padStart(2, '0')}`);

const anyGate: fc.Arbitrary<Gate> = fc.oneof(
  fc
    .constantFrom('a' as const, 'b' as const, 'c' as const)
    .map((key): Gate => ({ type: 'concurrency', key, limit: LIMITS[key], from: 'spec' })),
  fc.constantFrom('x', 'y').map((key): Gate => ({ type: 'rate', key, rate: RATE, from: 'spec' })),
  fc.constantFrom('one', 'two').map((key): Gate => ({ type: 'singleton', key, from: 'spec' })),
  fc.constantFrom('edgar', 'finra').map((key): Gate => ({ type: 'breaker', key, from: 'spec' })),
);

const anyRun = (runId: string): fc.Arbitrary<GatedRun> =>
  fc.record({
    runId: fc.constant(runId),
    priority: fc.integer({ min: 0, max: 4 }),
    gates: fc.uniqueArray(anyGate, { maxLength: 4, selector: gateId }),
  });

const anyRuns = fc
  .shuffledSubarray(ids, { minLength: 1, maxLength: 16 })
  .chain((some) => fc.tuple(...some.map(anyRun)));

const anyBreaker: fc.Arbitrary<BreakerFact> = fc.oneof(
  fc.constant<BreakerFact>({ state: 'closed' }),
  fc.constantFrom(null, NOW - 1, NOW, NOW + 1).map((until): BreakerFact => ({ state: 'open', until })),
  fc
    .record({ owner: fc.constantFrom(...ids), until: fc.constantFrom(NOW - 1, NOW + 1) })
    .map((probe): BreakerFact => ({ state: 'half_open', ...probe })),
);

const anyFact: fc.Arbitrary<GateFact> = fc.record({
  held: fc.integer({ min: 0, max: 6 }),
  rate: fc.oneof(
    fc.constant(null),
    fc
      .integer({ min: 0, max: 4_000 })
      .map((owed) => ({ algorithm: 'token_bucket' as const, owed, perMs: 1_000, at: NOW })),
  ),
  active: fc.option(fc.constantFrom(...ids)),
  breaker: anyBreaker,
  reserved: fc.array(
    fc.record({ runId: fc.constantFrom(...ids), priority: fc.integer({ min: 0, max: 4 }) }),
    { maxLength: 3 },
  ),
});

const KEYS = [
  'concurrency a',
  'concurrency b',
  'concurrency c',
  'rate x',
  'rate y',
  'singleton one',
  'singleton two',
];
const anyFacts: fc.Arbitrary<GateFacts> = fc.array(anyFact, { minLength: 9, maxLength: 9 }).map((facts) => ({
  now: NOW,
  gates: new Map(
    [...KEYS, 'breaker edgar', 'breaker finra'].map((key, index) => [key, facts[index] ?? UNUSED]),
  ),
}));

/** A place kept for somebody who is decided about is kept no longer: which those are depends on who is asked about. */
function withoutReserved({ now, gates }: GateFacts): GateFacts {
  return { now, gates: new Map([...gates].map(([id, fact]) => [id, { ...fact, reserved: [] }])) };
}

const named = (runs: readonly { runId: string }[]): string[] => runs.map(({ runId }) => runId);

describe('admitting', () => {
  it('decides about every run once, and takes no more than there is', () => {
    fc.assert(
      fc.property(anyRuns, anyFacts, (runs, facts) => {
        const { admitted, refused, rates, probes } = admit(runs, facts);
        expect([...named(admitted), ...named(refused)].sort()).toEqual(named(runs).sort());
        const through = (id: string): GatedRun[] =>
          admitted.filter(({ gates }) => gates.some((gate) => gateId(gate) === id));
        for (const [key, limit] of Object.entries(LIMITS)) {
          const count = through(`concurrency ${key}`).length;
          const held = facts.gates.get(`concurrency ${key}`)?.held ?? 0;
          if (count > 0) expect(held + count).toBeLessThanOrEqual(limit);
        }
        for (const key of ['x', 'y']) {
          const before = facts.gates.get(`rate ${key}`)?.rate ?? null;
          const count = through(`rate ${key}`).length;
          expect(count).toBeLessThanOrEqual(freePermits(RATE, before, NOW));
          const after = rates.get(key)?.state ?? before;
          expect(freePermits(RATE, before, NOW) - freePermits(RATE, after, NOW)).toBe(count);
        }
        for (const key of ['one', 'two']) expect(through(`singleton ${key}`).length).toBeLessThanOrEqual(1);
        for (const key of ['edgar', 'finra']) {
          const breaker = facts.gates.get(`breaker ${key}`)?.breaker ?? { state: 'closed' };
          if (breaker.state === 'closed') continue;
          expect(through(`breaker ${key}`).length).toBeLessThanOrEqual(1);
          expect(named(through(`breaker ${key}`))).toEqual(probes.has(key) ? [probes.get(key)] : []);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('refuses for the sake of those who go first alone', () => {
    fc.assert(
      fc.property(anyRuns, anyFacts, (runs, all) => {
        const facts = withoutReserved(all);
        const { refused } = admit(runs, facts);
        for (const { runId, gate, priority } of refused) {
          const before = runs.filter((other) => compareInLine(other, { runId, priority }) < 0);
          const again = admit(
            runs.filter((run) => run.runId === runId || before.includes(run)),
            facts,
          );
          expect(named(again.refused)).toContain(runId);
          expect(runs.find((run) => run.runId === runId)?.gates).toContain(gate);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the order: who comes later changes nothing for who comes before', () => {
    fc.assert(
      fc.property(anyRuns, anyFacts, fc.nat(), (runs, facts, at) => {
        const inOrder = [...runs].sort(compareInLine);
        const first = inOrder.slice(0, at % inOrder.length);
        const alone = admit(first, withoutReserved(facts));
        const together = admit(runs, withoutReserved(facts));
        expect(named(together.admitted).slice(0, alone.admitted.length)).toEqual(named(alone.admitted));
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the order it is asked in', () => {
    fc.assert(
      fc.property(anyRuns, anyFacts, (runs, facts) => {
        expect(admit([...runs].reverse(), facts)).toEqual(admit(runs, facts));
      }),
    );
  });

  it('leaves a place that was announced to whom it was announced', () => {
    const gate: Gate = { type: 'concurrency', key: 'a', limit: 1, from: 'spec' };
    const [told = '', behind = ''] = ids;
    const fact = { ...UNUSED, reserved: [{ runId: told, priority: 2 }] };
    const facts = { now: NOW, gates: new Map([[gateId(gate), fact]]) };
    const run = (runId: string, priority = 2): GatedRun => ({ runId, priority, gates: [gate] });
    expect(named(admit([run(behind)], facts).admitted)).toEqual([]);
    expect(named(admit([run(behind, 0)], facts).admitted)).toEqual([behind]);
    expect(named(admit([run(told)], facts).admitted)).toEqual([told]);
    expect(named(admit([run(behind), run(told)], facts).admitted)).toEqual([told]);
  });

  it('takes nothing from the gates of a run that another gate refuses', () => {
    const open: Gate = { type: 'rate', key: 'x', rate: RATE, from: 'spec' };
    const shut: Gate = { type: 'concurrency', key: 'a', limit: 1, from: 'spec' };
    const facts = { now: NOW, gates: new Map([[gateId(shut), { ...UNUSED, held: 1 }]]) };
    const { refused, rates } = admit([{ runId: 'r', priority: 0, gates: [open, shut] }], facts);
    expect(refused).toMatchObject([{ runId: 'r', gate: shut, until: null }]);
    expect(rates.size).toBe(0);
  });

  it('says when time alone opens the gate', () => {
    const rate: Gate = { type: 'rate', key: 'x', rate: RATE, from: 'spec' };
    const breaker: Gate = { type: 'breaker', key: 'edgar', from: 'spec' };
    const used = {
      ...UNUSED,
      rate: { algorithm: 'token_bucket' as const, owed: 4_000, perMs: 1_000, at: NOW },
    };
    const who = { runId: 'r', priority: 0 };
    expect(judgeGate(rate, who, used, NOW)).toEqual({ open: false, until: NOW + 250 });
    // Two are told before it.
    const reserved = ids.slice(0, 2).map((runId) => ({ runId, priority: 0 }));
    expect(judgeGate(rate, who, { ...used, reserved }, NOW)).toEqual({ open: false, until: NOW + 750 });
    const open = { ...UNUSED, breaker: { state: 'open' as const, until: NOW + 5 } };
    expect(judgeGate(breaker, who, open, NOW)).toEqual({ open: false, until: NOW + 5 });
    expect(judgeGate(breaker, who, { ...UNUSED, breaker: { state: 'open', until: null } }, NOW)).toEqual({
      open: false,
      until: null,
    });
  });
});

describe('a line', () => {
  const spec = { limit: 3, rate: RATE };

  it('is told as often as there is room, less what was told before', () => {
    const [a = '', b = ''] = ids;
    const reserved = [
      { runId: a, priority: 1 },
      { runId: b, priority: 1 },
    ];
    expect(placesAt('concurrency', { ...UNUSED, held: 1 }, spec, NOW)).toBe(2);
    expect(placesAt('concurrency', { ...UNUSED, held: 1, reserved }, spec, NOW)).toBe(0);
    expect(placesAt('concurrency', { ...UNUSED, held: 9 }, spec, NOW)).toBe(0);
    expect(placesAt('rate', { ...UNUSED, reserved }, spec, NOW)).toBe(2);
    expect(placesAt('singleton', UNUSED, spec, NOW)).toBe(1);
    expect(placesAt('singleton', { ...UNUSED, active: a }, spec, NOW)).toBe(0);
    expect(placesAt('breaker', UNUSED, spec, NOW)).toBe(200);
    expect(placesAt('breaker', { ...UNUSED, breaker: { state: 'open', until: NOW - 1 } }, spec, NOW)).toBe(1);
    expect(placesAt('breaker', { ...UNUSED, breaker: { state: 'open', until: null } }, spec, NOW)).toBe(0);
  });

  it('is never told more than would be let through', () => {
    fc.assert(
      fc.property(anyFact, (fact) => {
        for (const type of ['concurrency', 'rate', 'singleton', 'breaker'] as const) {
          const places = placesAt(type, { ...fact, reserved: [] }, spec, NOW);
          const gate: Gate =
            type === 'concurrency'
              ? { type, key: 'k', limit: spec.limit, from: 'spec' }
              : type === 'rate'
                ? { type, key: 'k', rate: RATE, from: 'spec' }
                : { type, key: 'k', from: 'spec' };
          const many = Array.from({ length: 8 }, (_, index) => ({
            runId: `other-${index}`,
            priority: 0,
            gates: [gate],
          }));
          const facts = { now: NOW, gates: new Map([[gateId(gate), { ...fact, reserved: [] }]]) };
          expect(admit(many, facts).admitted.length).toBe(Math.min(places, many.length));
        }
      }),
    );
  });

  it('is looked at again when time opens its gate', () => {
    const used = {
      ...UNUSED,
      rate: { algorithm: 'token_bucket' as const, owed: 4_000, perMs: 1_000, at: NOW },
    };
    expect(nextLookAt('rate', used, spec, NOW)).toBe(NOW + 250);
    expect(nextLookAt('breaker', { ...UNUSED, breaker: { state: 'open', until: NOW + 9 } }, spec, NOW)).toBe(
      NOW + 9,
    );
    expect(
      nextLookAt('breaker', { ...UNUSED, breaker: { state: 'open', until: null } }, spec, NOW),
    ).toBeNull();
    expect(nextLookAt('concurrency', UNUSED, spec, NOW)).toBeNull();
    expect(nextLookAt('singleton', UNUSED, spec, NOW)).toBeNull();
  });
});
