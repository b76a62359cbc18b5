/** What a handler returns that has somebody else go on with its run. Small on purpose: threads load it. */
import type { DbTransaction } from '@spine/database';

/**
 * Receives a run in the transaction that takes it from its attempt.
 *
 * @param epoch at which the run is held from then on: the fence of whoever ends it.
 * @throws what makes the hand-over fail; the run then ends as if its handler had thrown that.
 */
export type RunReceiver = (trx: DbTransaction, epoch: number) => Promise<void>;

/**
 * A run that its handler hands over. It stays `running` without a worker, until the receiver settles it at the epoch that
 * it was told. Only executors with a database of runs can do it.
 */
export class HandOver {
  readonly receive: RunReceiver;
  readonly #made = true;

  constructor(receive: RunReceiver) {
    this.receive = receive;
  }

  static is(value: unknown): value is HandOver {
    return typeof value === 'object' && value !== null && #made in value;
  }
}
