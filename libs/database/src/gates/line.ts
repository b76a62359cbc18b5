/** The lines before the gates: how many of one may be told that it is their turn, and when to look again. Pure. */
import { assertNever } from '@spine/core';
import { judgeBreaker } from './admit.ts';
import type { GateFact } from './admit.ts';
import type { LineSpec } from './facts.ts';
import type { GateType } from './gate.ts';
import { freePermits, rateAvailableAt, rateCapacity } from './rate.ts';

/** Runs of one line that are told at once, at the most. */
export const MOST_WOKEN = 200;

/** How many runs of a line could go through its gate now; turns that were announced already are counted off. */
export function placesAt(type: GateType, fact: GateFact, spec: LineSpec, now: number): number {
  const places = allPlaces(type, fact, spec, now) - fact.reserved.length;
  return Math.max(0, Math.min(places, MOST_WOKEN));
}

function allPlaces(type: GateType, fact: GateFact, spec: LineSpec, now: number): number {
  switch (type) {
    case 'concurrency':
      return (spec.limit ?? 1) - fact.held;
    case 'rate':
      return spec.rate === null ? 1 : freePermits(spec.rate, fact.rate, now);
    case 'singleton':
      return fact.active === null ? 1 : 0;
    case 'breaker':
      if (fact.breaker.state === 'closed') return Infinity;
      return judgeBreaker(fact.breaker, '', 0, now).open ? 1 : 0;
    default:
      return assertNever(type);
  }
}

/**
 * The moment at which the next of a line could go through, where time alone opens its gate; null where somebody does:
 * a run that ends, an operator.
 */
export function nextLookAt(type: GateType, fact: GateFact, spec: LineSpec, now: number): number | null {
  switch (type) {
    case 'rate': {
      if (spec.rate === null) return null;
      const permits = Math.min(fact.reserved.length + 1, rateCapacity(spec.rate));
      return rateAvailableAt(spec.rate, fact.rate, permits, now);
    }
    case 'breaker': {
      if (fact.breaker.state === 'closed') return now;
      const judgement = judgeBreaker(fact.breaker, '', 0, now);
      return judgement.open ? now : judgement.until;
    }
    case 'concurrency':
    case 'singleton':
      return null;
    default:
      return assertNever(type);
  }
}
