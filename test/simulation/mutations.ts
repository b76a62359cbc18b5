/**
 * Every guard, weakened alone, and the invariant that breaks without it. Some guards have another one behind them, so
 * that nothing breaks without them alone: these are in backed.ts.
 */
import type { Guards } from './model/guards.ts';
import type { Invariant } from './model/invariants.ts';

export interface Mutation {
  readonly name: string;
  readonly weakened: Partial<Guards>;
  readonly breaks: Invariant;
  /** Passed over, to see what else breaks; the observer stops at the first otherwise. */
  readonly ignoring?: readonly Invariant[];
}

const ID_ONLY: Partial<Guards> = { settleFence: 'none', settleStatus: false };

export const MUTATIONS: readonly Mutation[] = [
  { name: 'settle on id only', weakened: ID_ONLY, breaks: 'stale_write' },
  {
    name: 'settle on id only: what comes of it',
    weakened: ID_ONLY,
    breaks: 'terminal_is_absorbing',
    ignoring: ['stale_write'],
  },
  {
    name: 'settle on id only: and then',
    weakened: ID_ONLY,
    breaks: 'one_terminal_event',
    ignoring: ['stale_write', 'terminal_is_absorbing', 'legal_transition'],
  },
  { name: 'settle on status only', weakened: { settleFence: 'none' }, breaks: 'stale_write' },
  {
    name: 'settle on epoch only',
    weakened: { settleStatus: false },
    breaks: 'terminal_is_absorbing',
    ignoring: ['stale_write'],
  },
  {
    name: 'settle on attempt in place of epoch',
    weakened: { settleFence: 'attempt' },
    breaks: 'stale_write',
  },
  {
    name: 'settle forgets whose commit it was',
    weakened: { settleFinishedEpoch: false },
    breaks: 'honest_answer',
  },
  { name: 'hand-back lowers the epoch', weakened: { handBackEpoch: 'lowered' }, breaks: 'epoch_never_falls' },
  { name: 'hand-back keeps the epoch', weakened: { handBackEpoch: 'kept' }, breaks: 'fence_moves' },

  {
    name: 'claim without guard',
    weakened: { claimStatus: false, claimDue: false, claimBudget: false },
    breaks: 'legal_transition',
    ignoring: ['terminal_is_absorbing', 'not_startable'],
  },
  {
    name: 'claim whatever its status',
    weakened: { claimStatus: false },
    breaks: 'legal_transition',
    ignoring: ['terminal_is_absorbing'],
  },
  { name: 'claim what is over', weakened: { claimStatus: false }, breaks: 'terminal_is_absorbing' },
  { name: 'claim before it is available', weakened: { claimDue: false }, breaks: 'not_startable' },
  { name: 'claim after its time is over', weakened: { claimExpiry: false }, breaks: 'not_startable' },
  { name: 'claim from a paused lane', weakened: { claimLane: false }, breaks: 'not_startable' },
  { name: 'claim keeps the epoch', weakened: { claimRaisesEpoch: false }, breaks: 'fence_moves' },
  {
    name: 'claim keeps the epoch: what comes of it',
    weakened: { claimRaisesEpoch: false },
    breaks: 'stale_write',
    ignoring: ['fence_moves'],
  },
  {
    name: 'a lost claim is taken up after one look',
    weakened: { lostClaim: 'looked_once' },
    breaks: 'starts_within_claims',
  },
  {
    name: 'a lost claim is taken up blindly',
    weakened: { lostClaim: 'blindly' },
    breaks: 'starts_within_claims',
  },

  { name: 'stored as claimed in a paused lane', weakened: { adoptLane: false }, breaks: 'not_startable' },
  {
    name: 'stored as claimed before it is available',
    weakened: { adoptPlain: false },
    breaks: 'not_startable',
  },
  {
    name: 'stored as claimed at the epoch of a run that waits',
    weakened: { adoptRaisesEpoch: false },
    breaks: 'fence_moves',
  },
  {
    name: "the lease of what is stored as claimed counts from its transaction's beginning",
    weakened: { adoptLease: 'transaction' },
    breaks: 'lease_known',
  },
  {
    name: 'begun before its transaction has committed',
    weakened: { adoptBegins: 'on_insert' },
    breaks: 'starts_within_claims',
  },
  {
    name: 'begun although its own transaction has cancelled it',
    weakened: { adoptWithdrawn: false },
    breaks: 'starts_within_claims',
  },

  { name: 'heartbeat without epoch', weakened: { heartbeatEpoch: false }, breaks: 'stale_write' },
  {
    name: 'heartbeat without status',
    weakened: { heartbeatStatus: false },
    breaks: 'row_shape',
    ignoring: ['stale_write', 'terminal_is_absorbing'],
  },
  { name: 'handler event without epoch', weakened: { eventEpoch: false }, breaks: 'stale_write' },
  { name: 'handler event without status', weakened: { eventStatus: false }, breaks: 'stale_write' },

  { name: 'cancel whatever its status', weakened: { cancelStatus: false }, breaks: 'terminal_is_absorbing' },
  { name: 'cancel keeps the epoch', weakened: { cancelRaisesEpoch: false }, breaks: 'fence_moves' },
  { name: 'pause whatever its status', weakened: { pauseStatus: false }, breaks: 'terminal_is_absorbing' },
  { name: 'pause keeps the epoch', weakened: { pauseRaisesEpoch: false }, breaks: 'fence_moves' },

  { name: 'no reaper', weakened: { reaper: false }, breaks: 'unfinished' },
  { name: 'reaper without re-check', weakened: { reapRecheck: 'none' }, breaks: 'terminal_is_absorbing' },
  {
    name: 'reaper re-checks the status only',
    weakened: { reapRecheck: 'status' },
    breaks: 'live_lease_taken',
  },
  {
    name: 'reaper decides by what it has read',
    weakened: { reapDecidesBy: 'snapshot' },
    breaks: 'unfinished',
  },
  { name: 'reaper keeps the epoch', weakened: { reapRaisesEpoch: false }, breaks: 'fence_moves' },
  { name: 'reaper looks at leases only', weakened: { reapDeadlines: false }, breaks: 'unfinished' },
  { name: 'reaper forgets the crash limit', weakened: { reapCrashLimit: false }, breaks: 'crash_limit' },
  { name: 'reaper forgets the budget', weakened: { reapBudget: false }, breaks: 'unfinished' },
  { name: 'reaper trusts its own clock', weakened: { reapClock: 'process' }, breaks: 'live_lease_taken' },

  { name: 'no relay', weakened: { relay: false }, breaks: 'unfinished' },
  { name: 'relay without re-check', weakened: { relayRecheck: false }, breaks: 'fence_moves' },
  {
    name: 'relay without re-check: what is over',
    weakened: { relayRecheck: false },
    breaks: 'terminal_is_absorbing',
  },
  { name: 'unhinted whatever its status', weakened: { unhintStatus: false }, breaks: 'row_shape' },
  { name: 'fixed job ids, finished jobs kept', weakened: { jobIds: 'fixed' }, breaks: 'unfinished' },
  { name: 'no expirer', weakened: { expirer: false }, breaks: 'unfinished' },
  { name: 'expirer without re-check', weakened: { expireRecheck: false }, breaks: 'terminal_is_absorbing' },
  {
    name: 'expirer without re-check, claims after the time',
    weakened: { expireRecheck: false, claimExpiry: false },
    breaks: 'ended_early',
    ignoring: ['not_startable'],
  },

  {
    name: 'dead letter in a statement of its own',
    weakened: { deadLetterWritten: 'afterwards' },
    breaks: 'dead_letter',
  },
  {
    name: 'answered before the commit',
    weakened: { submitAnswersAfterCommit: false },
    breaks: 'accepted_has_row',
  },
  { name: 'idempotency key not unique', weakened: { submitUniqueKey: false }, breaks: 'one_run_per_key' },
];
