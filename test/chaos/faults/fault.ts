/** What a fault is: what it breaks, how it mends it, and what it is allowed to cost. */
import type { Bed } from '../bed/bed.ts';
import type { SpecialRun } from '../load/plan.ts';
import type { Random } from '../random.ts';

export interface Fault {
  /** One line: what happens. */
  readonly what: string;
  /** Seconds the fault lasts, where the usual ones cannot show it: longer than a lease for what must lose one. */
  readonly seconds?: { readonly full: number; readonly short: number };
  /** Share of the plain runs, for what takes away so much capacity that all of them would take longer than the heal. Default 1. */
  readonly load?: number;
  /** Whether runs may lose their worker, and so, three times in a row, become dead letters. */
  readonly losesLeases: boolean;
  /** Why it cannot be had on this machine; null when it can. Default: it can. */
  readonly impossible?: () => string | null;
  /** Further runs of a repeat. */
  readonly specialRuns?: (random: Random) => readonly SpecialRun[];
  /** Before the first repeat. */
  readonly prepare?: (bed: Bed) => Promise<void>;
  /** Breaks things; may go on until the signal, and resolves soon after it. */
  readonly inject: (bed: Bed, random: Random, signal: AbortSignal) => Promise<void>;
  /** Mends what `inject` broke; everything is to run again when it resolves. */
  readonly heal: (bed: Bed) => Promise<void>;
  /** After the last repeat. */
  readonly restore?: (bed: Bed) => Promise<void>;
}
