/**
 * Judges open rejects again.
 *
 * 1. A page is one transaction: the rows that pass now, the verdicts and the closing of the rejects commit together, and
 *    only while the attempt holds its run. An attempt that ends between pages leaves whole pages.
 * 2. A run judges a reject once, so the next attempt of the run goes on where the last one was; what it has closed is not
 *    open any more, for itself and for any other run.
 * 3. Nothing that is refused after the attempt began is looked at: the replay has an end.
 */
import { InvariantError } from '@spine/core';
import {
  newestRejectId,
  openRejectsAfter,
  repairTally,
  stagesWithOpenRejects,
  takeReplayTurn,
  writeRepairs,
} from '@spine/database';
import type { StoredReject } from '@spine/database';
import type { HandlerContext } from '../worker/context.ts';
import type { RejectReplayer, RejectReplayers } from './reject-replayer.ts';
import { replayFilter } from './replay-params.ts';
import type { ReplayParams } from './replay-params.ts';

export interface ReplayRejectsResult {
  readonly domain: string;
  /** Rejects this run has judged, over all its attempts: the sum of the three that follow. */
  readonly replayed: number;
  /** Pass now, and were stored. */
  readonly repaired: number;
  /** Pass now, and were stored already. */
  readonly superseded: number;
  readonly still_rejected: number;
  /** The version of the rules by stage. */
  readonly rule_versions: Readonly<Record<string, string>>;
  /** Stages with open rejects that nothing can replay; empty when a stage was asked for. */
  readonly stages_without_replayer: readonly string[];
}

/** Rejects that are judged in one transaction. */
const REJECTS_PER_PAGE = 500;

/**
 * The handler of `operation:ledger.replay_rejects`.
 * @throws ValidationError when the domain, or the stage asked for, has no replayer.
 */
export async function replayRejects(
  params: ReplayParams,
  ctx: HandlerContext,
  replayers: RejectReplayers,
  rejectsPerPage: number = REJECTS_PER_PAGE,
): Promise<ReplayRejectsResult> {
  const selected = replayers.select(params.domain, params.stage);
  const { upTo, openStages } = await ctx.transaction(async (trx) => ({
    upTo: await newestRejectId(trx),
    openStages: params.stage === undefined ? await stagesWithOpenRejects(trx, params.domain) : [],
  }));
  const missing = openStages.filter((stage) => selected.every((replayer) => replayer.stage !== stage));
  if (missing.length > 0) ctx.log.warn({ stages: missing }, 'these stages have open rejects and no replayer');

  for (const replayer of selected) {
    let after: string | null = '0';
    while (after !== null) {
      ctx.signal.throwIfAborted();
      after = await replayPage(params, ctx, replayer, { after, upTo, limit: rejectsPerPage });
    }
  }
  const tally = await ctx.transaction((trx) => repairTally(trx, ctx.run.runId));
  return {
    domain: params.domain,
    replayed: tally.replayed,
    repaired: tally.repaired,
    superseded: tally.superseded,
    still_rejected: tally.stillRejected,
    rule_versions: Object.fromEntries(selected.map(({ stage, ruleVersion }) => [stage, ruleVersion])),
    stages_without_replayer: missing,
  };
}

/** Judges one page; answers the id of its last reject, or null when there was none left. */
async function replayPage(
  params: ReplayParams,
  ctx: HandlerContext,
  replayer: RejectReplayer,
  page: { readonly after: string; readonly upTo: string; readonly limit: number },
): Promise<string | null> {
  const { domain, stage, ruleVersion } = replayer;
  const { runId, correlationId: batchId } = ctx.run;
  const last = await ctx.transaction(async (trx) => {
    await takeReplayTurn(trx, domain, stage);
    const rejects = await openRejectsAfter(trx, { ...replayFilter(params), domain, stage }, runId, page);
    if (rejects.length === 0) return null;
    const verdicts = await replayer.replay(trx, rejects, { runId, batchId });
    if (verdicts.length !== rejects.length) {
      throw new InvariantError(
        `the replayer of ${domain}, stage ${stage}, gave ${verdicts.length} verdicts for ${rejects.length} rejects`,
      );
    }
    const judged = verdicts.map((verdict, index) => ({ rejectId: idAt(rejects, index), verdict }));
    await writeRepairs(trx, runId, ruleVersion, judged);
    return idAt(rejects, rejects.length - 1);
  });
  if (last !== null) ctx.progress(Math.min(Number(last) / Number(page.upTo), 0.99), `stage ${stage}`);
  return last;
}

function idAt(rejects: readonly StoredReject[], index: number): string {
  const reject = rejects[index];
  if (reject === undefined) throw new InvariantError(`there is no reject at ${index}`);
  return reject.rejectId;
}
