/**
 * Who may start: a pure decision about waiting runs, what their gates hold now, and the time.
 *
 * 1. A run starts when every one of its gates lets it through, and takes from all of them or from none. 2. The more
 * urgent go first, of equals the older. 3. A place or permit that was announced to a run of a line belongs to it for a
 * while: nobody behind it takes it. 4. The same judgement explains why a run waits.
 */
import { assertNever } from '@spine/core';
import { gateId } from './gate.ts';
import type { Gate, GateKey, GateType } from './gate.ts';
import { freePermits, rateAvailableAt, rateCapacity, takeRate } from './rate.ts';
import type { RateState } from './rate.ts';
import type { StoredRate } from './rate-json.ts';

/** A place in the order of a line. */
export interface LinePlace {
  readonly runId: string;
  /** 0 is the most urgent. */
  readonly priority: number;
}

export type BreakerFact =
  | { readonly state: 'closed' }
  /** `until`: from then on one run may try; null for an operator's "until further notice". */
  | { readonly state: 'open'; readonly until: number | null }
  | { readonly state: 'half_open'; readonly owner: string; readonly until: number };

/** What a gate holds now. Times are milliseconds since 1970, by the database's clock. */
export interface GateFact {
  /** Live holders of a concurrency key. */
  readonly held: number;
  readonly rate: RateState | null;
  /** The active run of a singleton key. */
  readonly active: string | null;
  readonly breaker: BreakerFact;
  /** Runs whose turn was announced a moment ago. */
  readonly reserved: readonly LinePlace[];
}

export interface GateFacts {
  readonly now: number;
  /** By {@link gateId}; a gate that is missing is one nobody has used. */
  readonly gates: ReadonlyMap<string, GateFact>;
}

export const UNUSED: GateFact = {
  held: 0,
  rate: null,
  active: null,
  breaker: { state: 'closed' },
  reserved: [],
};

export interface GatedRun extends LinePlace {
  readonly gates: readonly Gate[];
}

/** `until`: the first moment worth another look, null when that is up to somebody. */
export type Judgement = { readonly open: true } | { readonly open: false; readonly until: number | null };

const OPEN: Judgement = { open: true };

/** The order of every line: priority, then age. */
export function compareInLine(a: LinePlace, b: LinePlace): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  return a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : 0;
}

/** Whether one gate would let a run through now. */
export function judgeGate(gate: Gate, run: LinePlace, fact: GateFact, now: number): Judgement {
  const ahead = fact.reserved.filter((other) => compareInLine(other, run) < 0).length;
  switch (gate.type) {
    case 'concurrency':
      return fact.held + ahead < gate.limit ? OPEN : { open: false, until: null };
    case 'rate': {
      if (freePermits(gate.rate, fact.rate, now) > ahead) return OPEN;
      const permits = Math.min(ahead + 1, rateCapacity(gate.rate));
      return { open: false, until: rateAvailableAt(gate.rate, fact.rate, permits, now) };
    }
    case 'singleton':
      return fact.active === null || fact.active === run.runId ? OPEN : { open: false, until: null };
    case 'breaker':
      return judgeBreaker(fact.breaker, run.runId, ahead, now);
    default:
      return assertNever(gate);
  }
}

export function judgeBreaker(breaker: BreakerFact, runId: string, ahead: number, now: number): Judgement {
  switch (breaker.state) {
    case 'closed':
      return OPEN;
    case 'open':
      if (breaker.until === null || breaker.until > now) return { open: false, until: breaker.until };
      return ahead === 0 ? OPEN : { open: false, until: null };
    case 'half_open':
      if (breaker.owner === runId) return OPEN;
      if (breaker.until > now) return { open: false, until: breaker.until };
      return ahead === 0 ? OPEN : { open: false, until: null };
    default:
      return assertNever(breaker);
  }
}

export interface Refusal {
  readonly runId: string;
  readonly priority: number;
  /** The first gate that was shut. */
  readonly gate: Gate;
  readonly until: number | null;
}

export interface Admission {
  readonly admitted: readonly GatedRun[];
  readonly refused: readonly Refusal[];
  /** Rates that were taken from, by key. */
  readonly rates: ReadonlyMap<string, StoredRate>;
  /** Breakers that a run now tries, by name: the run. */
  readonly probes: ReadonlyMap<string, string>;
}

const ORDER: Readonly<Record<GateType, number>> = { singleton: 0, breaker: 1, concurrency: 2, rate: 3 };

/** How long a run that tries a half-open breaker keeps others from trying. */
export const PROBE_MS = 60_000;

/** Decides about runs that wait. Every gate of one key must be locked from the look at `facts` to the commit. */
export function admit(runs: readonly GatedRun[], { now, gates }: GateFacts): Admission {
  const deciding = new Set(runs.map(({ runId }) => runId));
  // Runs of this very decision need no place kept: they are looked at in their order.
  const facts = new Map<string, GateFact>(
    [...gates].map(([id, fact]) => [
      id,
      { ...fact, reserved: fact.reserved.filter(({ runId }) => !deciding.has(runId)) },
    ]),
  );
  const admitted: GatedRun[] = [];
  const refused: Refusal[] = [];
  const rates = new Map<string, StoredRate>();
  const probes = new Map<string, string>();
  const factOf = (gate: GateKey): GateFact => facts.get(gateId(gate)) ?? UNUSED;
  for (const run of [...runs].sort(compareInLine)) {
    const shut = firstShut(run, factOf, now);
    if (shut !== null) {
      refused.push({ runId: run.runId, priority: run.priority, ...shut });
      continue;
    }
    admitted.push(run);
    for (const gate of run.gates) {
      const id = gateId(gate);
      const next = pass(gate, run.runId, factOf(gate), now);
      facts.set(id, next);
      if (gate.type === 'rate') rates.set(gate.key, { spec: gate.rate, state: next.rate });
      if (gate.type === 'breaker' && next.breaker.state === 'half_open') probes.set(gate.key, run.runId);
    }
  }
  return { admitted, refused, rates, probes };
}

function firstShut(
  run: GatedRun,
  factOf: (gate: GateKey) => GateFact,
  now: number,
): { readonly gate: Gate; readonly until: number | null } | null {
  for (const gate of [...run.gates].sort((a, b) => ORDER[a.type] - ORDER[b.type])) {
    const judgement = judgeGate(gate, run, factOf(gate), now);
    if (!judgement.open) return { gate, until: judgement.until };
  }
  return null;
}

/** The gate after the run has gone through. */
function pass(gate: Gate, runId: string, fact: GateFact, now: number): GateFact {
  switch (gate.type) {
    case 'concurrency':
      return { ...fact, held: fact.held + 1 };
    case 'rate': {
      const take = takeRate(gate.rate, fact.rate, 1, now);
      return take.type === 'taken' ? { ...fact, rate: take.state } : fact;
    }
    case 'singleton':
      return { ...fact, active: runId };
    case 'breaker':
      if (fact.breaker.state === 'closed') return fact;
      return { ...fact, breaker: { state: 'half_open', owner: runId, until: now + PROBE_MS } };
    default:
      return assertNever(gate);
  }
}
