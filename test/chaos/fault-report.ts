import type { Violation } from './check/invariants.ts';
import type { FaultName } from './faults/index.ts';

/** What one fault came to. Counts are over the runs of this fault. */
export interface FaultReport {
  readonly fault: FaultName;
  readonly repeats: number;
  readonly runs: number;
  readonly completed: number;
  readonly deadLetters: number;
  /** Of them, those that did nothing wrong: they lost three workers in a row by the fault. */
  readonly unlucky: number;
  /** Process starts beyond the first of each. */
  readonly restarts: number;
  readonly leasesLost: number;
  readonly handedBack: number;
  /** Writes the engine refused because their epoch was not current, as the workers counted them. */
  readonly fencedWrites: number;
  /** Requests the client had to repeat. */
  readonly repeatedRequests: number;
  readonly healSeconds: number;
  readonly seconds: number;
  /** What the fault did, by name. */
  readonly effects: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  /** What is wrong and no SQL sees. */
  readonly problems: readonly string[];
}

/** The report of a fault that the harness itself could not carry out: nothing is proven. */
export function notCarriedOut(fault: FaultName, error: unknown): FaultReport {
  return {
    fault,
    repeats: 0,
    runs: 0,
    completed: 0,
    deadLetters: 0,
    unlucky: 0,
    restarts: 0,
    leasesLost: 0,
    handedBack: 0,
    fencedWrites: 0,
    repeatedRequests: 0,
    healSeconds: 0,
    seconds: 0,
    effects: {},
    violations: [],
    problems: [`not carried out: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`],
  };
}
