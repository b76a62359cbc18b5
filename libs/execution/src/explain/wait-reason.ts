/** What an explanation is made from, and what it is made of. */
import type {
  BreakerRecord,
  ExplainedRun,
  Gate,
  GateFacts,
  HoldUp,
  LaneState,
  LineDetail,
  Serving,
} from '@spine/database';

export const WAIT_CODES = [
  'terminal',
  'running',
  'lease_lapsed',
  'expired',
  'paused',
  'not_due',
  'retry_wait',
  'deferred',
  'lane_paused',
  'no_worker_for_lane',
  'no_worker_for_handler',
  'gates_unreadable',
  'singleton_active',
  'concurrency_limit',
  'rate_limit',
  'breaker_open',
  'breaker_probing',
  'workers_busy',
  'waiting_for_hint',
] as const;
export type WaitCode = (typeof WAIT_CODES)[number];

export interface WaitReason {
  readonly code: WaitCode;
  /** One sentence for people. */
  readonly message: string;
  readonly since?: Date;
  /** The moment from which on this reason is gone, where time alone ends it. */
  readonly until?: Date;
  /** Runs that stand in the way; the first 20. */
  readonly runIds?: readonly string[];
  /** The key or the dependency. */
  readonly key?: string;
  readonly limit?: number;
  /** In the line, 1 for the next; counted up to 10,000. */
  readonly position?: number;
  readonly workerId?: string;
  /** Who brought it about. */
  readonly by?: string;
}

/** What was read, in one snapshot. */
export interface ExplainFacts {
  readonly run: ExplainedRun;
  readonly lane: LaneState | null;
  readonly holdUp: HoldUp | null;
  readonly serving: Serving;
  /** As a claim would see them; null for gates that cannot be read. */
  readonly gates: readonly Gate[] | null;
  readonly facts: GateFacts;
  /** By gateId. */
  readonly lines: ReadonlyMap<string, LineDetail>;
  /** By name. */
  readonly breakers: ReadonlyMap<string, BreakerRecord>;
}
