/** Guards that have another one behind them, listed with that other one. */
import type { Guards } from './model/guards.ts';
import type { Invariant } from './model/invariants.ts';

/** A guard that another one stands behind: nothing breaks without it alone. */
export interface Backed {
  readonly name: string;
  readonly weakened: Partial<Guards>;
  readonly ignoring?: readonly Invariant[];
  /** What still holds, in words. */
  readonly behind: string;
  /** Without that one as well. */
  readonly both: Partial<Guards>;
  readonly breaks: Invariant;
  /** Whether workers poll, where that is what stands behind. */
  readonly polls?: { readonly alone: boolean; readonly both: boolean };
}

export const BACKED: readonly Backed[] = [
  {
    name: 'claim whatever attempts are left',
    weakened: { claimBudget: false },
    behind: 'whoever ends the last attempt ends the run',
    both: { reapBudget: false },
    breaks: 'attempts_within_budget',
  },
  {
    name: 'reaper keeps the epoch',
    weakened: { reapRaisesEpoch: false },
    ignoring: ['fence_moves'],
    behind: 'the next claim raises it',
    both: { claimRaisesEpoch: false },
    breaks: 'stale_write',
  },
  {
    name: 'hand-back keeps the epoch',
    weakened: { handBackEpoch: 'kept' },
    ignoring: ['fence_moves'],
    behind: 'the next claim raises it',
    both: { claimRaisesEpoch: false },
    breaks: 'stale_write',
  },
  {
    name: 'pause keeps the epoch',
    weakened: { pauseRaisesEpoch: false },
    ignoring: ['fence_moves'],
    behind: 'the next claim raises it',
    both: { claimRaisesEpoch: false },
    breaks: 'stale_write',
  },
  {
    name: 'cancel keeps the epoch',
    weakened: { cancelRaisesEpoch: false },
    ignoring: ['fence_moves'],
    behind: 'settlements look at the status, too',
    both: { settleStatus: false },
    breaks: 'stale_write',
  },
  {
    name: 'nobody looks for runs whose COMMIT went unanswered',
    weakened: { adoptLooks: false },
    behind: 'the reaper, when their leases run out',
    both: { reaper: false },
    breaks: 'unfinished',
  },
  {
    name: 'early hints are given up after one look',
    weakened: { earlyLooks: false },
    behind: 'the relay',
    both: { relay: false },
    breaks: 'unfinished',
    polls: { alone: false, both: false },
  },
  {
    name: 'early hints are the only ones',
    weakened: { earlySecondHint: false },
    behind: 'the relay',
    both: { relay: false },
    breaks: 'unfinished',
    polls: { alone: false, both: false },
  },
  {
    name: 'no relay, workers that poll',
    weakened: { relay: false },
    behind: "the workers' poll",
    both: {},
    breaks: 'unfinished',
    polls: { alone: true, both: false },
  },
];
