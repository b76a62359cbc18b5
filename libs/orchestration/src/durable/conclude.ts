/**
 * What follows from planned advances, in their transaction: what they start and give up, their records and histories, and the
 * ends of runs.
 */
import { activeRunsOf, asQueryable, cancelRunsIn, writeStateRecords } from '@spine/database';
import type { Advance, DbTransaction } from '@spine/database';
import { admissionGates } from './admit.ts';
import type { AdvanceOutcome } from './advance-run.ts';
import { carryOut, SOURCE } from './carry-out.ts';
import type { AdvanceServices } from './carry-out.ts';
import { goOnAsNew } from './continue-run.ts';
import { endRuns } from './end-run.ts';
import type { PlannedAdvance } from './planned-advance.ts';
import type { StartedRuns } from './started-runs.ts';
import { recordTrackedEnd } from './tracked-end.ts';

/** Events one advance tells at the most. */
export const ADVANCE_EVENTS = 500;
/** Of a transaction that advances. */
export const ADVANCE_LIMITS = { lockTimeoutMs: 10_000, idleTimeoutMs: 30_000 } as const;

/**
 * @param save writes heads and histories.
 * @returns what became of each.
 */
export async function conclude(
  services: AdvanceServices,
  trx: DbTransaction,
  planned: readonly PlannedAdvance[],
  started: StartedRuns,
  save: (trx: DbTransaction, advances: readonly Advance[]) => Promise<void>,
): Promise<ReadonlyMap<string, AdvanceOutcome>> {
  await carryOutAll(services, trx, planned, started);
  await writeStateRecords(
    trx,
    planned.flatMap((advance) => advance.changes()),
  );
  // Workflows end before their runs do, of which they need not be told any more.
  await save(
    trx,
    planned.map((advance) => advance.saved()),
  );
  await finish(services, trx, planned, started);
  return new Map(planned.map((advance) => [advance.locked.runId, outcomeOf(advance)]));
}

function outcomeOf({ locked, definition, inbox, end }: PlannedAdvance): AdvanceOutcome {
  return {
    type: 'advanced',
    events: inbox.length,
    more: inbox.length === ADVANCE_EVENTS,
    ended: end !== null,
    freed: end === null ? [] : admissionGates(locked, definition),
  };
}

/** What is refused is told at once, and may lead to more. */
async function carryOutAll(
  services: AdvanceServices,
  trx: DbTransaction,
  planned: readonly PlannedAdvance[],
  started: StartedRuns,
): Promise<void> {
  const byRun = new Map(planned.map((advance) => [advance.locked.runId, advance]));
  for (let next: readonly PlannedAdvance[] = planned; next.length > 0;) {
    const all = next.map((advance) => ({
      runId: advance.locked.runId,
      traceContext: advance.locked.run.traceContext,
      effects: advance.takeEffects(),
    }));
    const refused = await carryOut(services, trx, all, started);
    for (const { runId, event } of refused) await byRun.get(runId)?.tell(event);
    next = [...new Set(refused.map(({ runId }) => runId))].flatMap((runId) => byRun.get(runId) ?? []);
  }
}

async function finish(
  { dispatcher, payloads }: AdvanceServices,
  trx: DbTransaction,
  planned: readonly PlannedAdvance[],
  started: StartedRuns,
): Promise<void> {
  const ended = planned.flatMap(({ locked, end, head }) => (end === null ? [] : [{ locked, end, head }]));
  if (ended.length === 0) return;
  const runIds = ended.map(({ locked }) => locked.runId);
  for (const { locked, end, head } of ended) {
    if (end.status === 'continued')
      await goOnAsNew({ dispatcher, payloads }, trx, locked, end, head, started);
  }
  const left = await activeRunsOf(trx, runIds);
  started.withdraw(await cancelRunsIn(asQueryable(trx), left, 'its workflow has ended', SOURCE));
  await endRuns(trx, payloads, ended);
  for (const { locked, end } of ended) await recordTrackedEnd(trx, locked, end);
}
