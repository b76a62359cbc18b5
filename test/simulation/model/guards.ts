/**
 * The guards of the run engine as parameters, so that each can be weakened alone and the simulation can show what it
 * keeps out. The names follow the statements in libs/database/src/runs.
 */
export interface Guards {
  /** A submit is answered when its row has committed. */
  readonly submitAnswersAfterCommit: boolean;
  /** Unique index on the idempotency key. */
  readonly submitUniqueKey: boolean;

  /** A run is stored as claimed only while its lane goes. */
  readonly adoptLane: boolean;
  /** Only a run is stored as claimed that starts at once: no time to wait for, none to be over. */
  readonly adoptPlain: boolean;
  readonly adoptRaisesEpoch: boolean;
  /** Where the lease of a run that is stored as claimed begins: no earlier than its worker counts it from, or before. */
  readonly adoptLease: 'statement' | 'transaction';
  /** When a run that was stored as claimed begins: once it has committed, or with the answer to its INSERT. */
  readonly adoptBegins: 'on_commit' | 'on_insert';
  /** What its own transaction has cancelled again does not begin. */
  readonly adoptWithdrawn: boolean;
  /** After a COMMIT without an answer the worker looks whether the run is there. */
  readonly adoptLooks: boolean;
  /** A worker that does not find the run of an early hint looks for it again. */
  readonly earlyLooks: boolean;
  /** A run that took long to be stored is hinted a second time. */
  readonly earlySecondHint: boolean;

  /** Claims take waiting runs only. */
  readonly claimStatus: boolean;
  /** Claims take runs that are available only. */
  readonly claimDue: boolean;
  /** Claims take runs with attempts left only. */
  readonly claimBudget: boolean;
  /** Claims leave runs alone whose time to live or deadline is over. */
  readonly claimExpiry: boolean;
  /** Claims leave a paused lane alone. */
  readonly claimLane: boolean;
  readonly claimRaisesEpoch: boolean;
  /**
   * When a worker takes up, after a claim whose answer was lost, a run that names it as its holder: when it has not got
   * it, and a second look, after all earlier answers, still finds it held; or after one look; or whatever it has.
   */
  readonly lostClaim: 'looked_twice' | 'looked_once' | 'blindly';

  /** What a settlement compares with the row. Nothing at all is a guard on the id alone. */
  readonly settleFence: 'epoch' | 'attempt' | 'none';
  readonly settleStatus: boolean;
  /** A refused settlement recognises its own earlier commit by `finished_epoch`. */
  readonly settleFinishedEpoch: boolean;
  readonly handBackEpoch: 'raised' | 'kept' | 'lowered';

  readonly heartbeatEpoch: boolean;
  readonly heartbeatStatus: boolean;
  readonly eventEpoch: boolean;
  readonly eventStatus: boolean;

  readonly cancelStatus: boolean;
  readonly cancelRaisesEpoch: boolean;
  readonly pauseStatus: boolean;
  readonly pauseRaisesEpoch: boolean;

  readonly reaper: boolean;
  /** What the reaper's UPDATE checks again of what its read has found. */
  readonly reapRecheck: 'status_and_time' | 'status' | 'none';
  /** Whether a reaped run's future is decided by the locked row or by what the read has seen. */
  readonly reapDecidesBy: 'row' | 'snapshot';
  readonly reapRaisesEpoch: boolean;
  /** Whether the reaper looks at deadlines, too, or at leases alone. */
  readonly reapDeadlines: boolean;
  readonly reapBudget: boolean;
  readonly reapCrashLimit: boolean;
  /** Whose clock tells that a lease is over; a process's own may be minutes off. */
  readonly reapClock: 'database' | 'process';

  readonly relay: boolean;
  /** The relay's UPDATE checks that the run still waits. */
  readonly relayRecheck: boolean;
  /** Marking a run as unhinted leaves alone what does not wait any more. */
  readonly unhintStatus: boolean;

  readonly expirer: boolean;
  readonly expireRecheck: boolean;

  /** Hints with an id of their own each, or one per run while finished jobs are kept. */
  readonly jobIds: 'fresh' | 'fixed';
  readonly deadLetterWritten: 'same_statement' | 'afterwards';

  /** The unique index of terminal events. Off, so that the guards alone have to do. */
  readonly uniqueTerminalEvent: boolean;
  /** The trigger that refuses leaving a terminal state and lowering an epoch. Off for the same reason. */
  readonly absorbingTrigger: boolean;
}

/** As the engine has them, but without the schema's backstops. */
export const RECOMMENDED: Guards = {
  submitAnswersAfterCommit: true,
  submitUniqueKey: true,
  adoptLane: true,
  adoptPlain: true,
  adoptRaisesEpoch: true,
  adoptLease: 'statement',
  adoptBegins: 'on_commit',
  adoptWithdrawn: true,
  adoptLooks: true,
  earlyLooks: true,
  earlySecondHint: true,
  claimStatus: true,
  claimDue: true,
  claimBudget: true,
  claimExpiry: true,
  claimLane: true,
  claimRaisesEpoch: true,
  lostClaim: 'looked_twice',
  settleFence: 'epoch',
  settleStatus: true,
  settleFinishedEpoch: true,
  handBackEpoch: 'raised',
  heartbeatEpoch: true,
  heartbeatStatus: true,
  eventEpoch: true,
  eventStatus: true,
  cancelStatus: true,
  cancelRaisesEpoch: true,
  pauseStatus: true,
  pauseRaisesEpoch: true,
  reaper: true,
  reapRecheck: 'status_and_time',
  reapDecidesBy: 'row',
  reapRaisesEpoch: true,
  reapDeadlines: true,
  reapBudget: true,
  reapCrashLimit: true,
  reapClock: 'database',
  relay: true,
  relayRecheck: true,
  unhintStatus: true,
  expirer: true,
  expireRecheck: true,
  jobIds: 'fresh',
  deadLetterWritten: 'same_statement',
  uniqueTerminalEvent: false,
  absorbingTrigger: false,
};
