import { IdempotencyLevel } from '@spine/core';
import type { HandlerRegistry } from '../registry/registry.ts';
import { RejectReplayers } from './reject-replayer.ts';
import type { RejectReplayer } from './reject-replayer.ts';
import { REPLAY_REJECTS, replayParams } from './replay-params.ts';
import { replayRejects } from './replay-rejects.ts';

export interface LedgerOperationOptions {
  /** What the domains of this deployment can judge again. */
  readonly replayers: readonly RejectReplayer[];
  /** Rejects judged in one transaction. Default 500. */
  readonly rejectsPerPage?: number;
}

/**
 * Registers the operations of the data ledger.
 * @throws ConfigError when the rejects of a stage have two replayers.
 */
export function registerLedgerOperations(
  registry: HandlerRegistry,
  options: LedgerOperationOptions,
): HandlerRegistry {
  const replayers = new RejectReplayers(options.replayers);
  return registry.registerOperation(
    REPLAY_REJECTS,
    {
      description:
        'Judges open rejects by the rules as they are now: stores what passes and closes those rejects.',
      params: replayParams,
      tags: ['builtin', 'ledger'],
      idempotency: IdempotencyLevel.L2_INPUT,
    },
    (params, ctx) => replayRejects(params, ctx, replayers, options.rejectsPerPage),
  );
}
