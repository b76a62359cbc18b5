/** What a handler returns that has somebody else go on with its run. Small on purpose: threads load it. */
import type { DbTransaction, WorkflowBeginning } from '@spine/database';

/** What became of a run that was to be handed over. */
export type Received =
  /** It is taken from its attempt. */
  | { readonly type: 'received' }
  /** The receiver has ended the attempt itself, in the same transaction: the run has completed, or waits. */
  | { readonly type: 'settled'; readonly as: 'completed' | 'deferred' }
  /** The attempt has lost its run; nothing may be committed. */
  | { readonly type: 'fenced' };

export const RECEIVED: Received = { type: 'received' };

/**
 * Receives a run in the transaction that takes it from its attempt.
 *
 * @param epoch at which the run is held from then on: the fence of whoever ends it. The attempt is at the one before.
 * @throws what makes the hand-over fail; the run then ends as if its handler had thrown that.
 */
export type RunReceiver = (trx: DbTransaction, epoch: number) => Promise<Received>;

/**
 * A run that its handler hands over. It stays `running` without a worker, until the receiver settles it at the epoch that
 * it was told. Only executors with a database of runs can do it.
 */
export class HandOver {
  readonly receive: RunReceiver;
  /** Set where nothing is left to be decided: the run may then be handed over together with others, without `receive`. */
  readonly beginning: WorkflowBeginning | null;
  readonly #made = true;

  constructor(receive: RunReceiver, beginning: WorkflowBeginning | null = null) {
    this.receive = receive;
    this.beginning = beginning;
  }

  static is(value: unknown): value is HandOver {
    return typeof value === 'object' && value !== null && #made in value;
  }
}
