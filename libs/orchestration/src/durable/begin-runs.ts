/**
 * Runs that begin as workflows and are advanced for the first time in one transaction, many of them at once.
 *
 * 1. Everything commits or nothing does: the hand-over, the first state, what it starts. Nothing was told by way of the inbox,
 * and nobody else can advance what nobody has seen. 2. One that cannot be planned is handed over all the same, and is told
 * that it has started by its inbox: whoever advances it finds the error, and puts it off.
 */
import { leaveBeginnings, limitTransaction, saveBeginnings, takeBeginnings } from '@spine/database';
import type { BeginningRun, BeginOutcome, DbTransaction, LockedWorkflow, TakenRun } from '@spine/database';
import type { AdvanceResults } from './advance-run.ts';
import type { AdvanceServices } from './carry-out.ts';
import { ADVANCE_LIMITS, conclude } from './conclude.ts';
import { PlannedAdvance } from './planned-advance.ts';
import type { Inherited } from './receive.ts';
import { StartedRuns } from './started-runs.ts';
import { StateReader } from './state-reader.ts';

export interface BegunRuns {
  /** For each run, in order. */
  readonly outcomes: readonly BeginOutcome[];
  /** Of those that were advanced. */
  readonly results: AdvanceResults;
}

/**
 * Hands runs over and advances their workflows for the first time.
 * @param source written as the source of the event `handed_over`.
 * @throws what the database throws; then nothing has happened, or nobody knows where the connection broke.
 */
export async function beginRuns(
  services: AdvanceServices,
  runs: readonly BeginningRun[],
  source: string,
): Promise<BegunRuns> {
  const started = new StartedRuns(services);
  let begun: BegunRuns;
  try {
    begun = await services.db
      .transaction()
      .execute((trx) => beginIn(services, trx, { runs, source }, started));
  } catch (error) {
    started.failed(error);
    throw error;
  }
  started.announce();
  return begun;
}

async function beginIn(
  services: AdvanceServices,
  trx: DbTransaction,
  { runs, source }: { readonly runs: readonly BeginningRun[]; readonly source: string },
  started: StartedRuns,
): Promise<BegunRuns> {
  await limitTransaction(trx, ADVANCE_LIMITS);
  const { outcomes, taken } = await takeBeginnings(trx, runs, source);
  const { planned, left } = await planAll(services, trx, taken);
  await leaveBeginnings(trx, left);
  const results = await conclude(services, trx, planned, started, saveBeginnings);
  return { outcomes, results };
}

interface LeftRun {
  readonly locked: LockedWorkflow;
  readonly started: unknown;
}

async function planAll(
  services: AdvanceServices,
  trx: DbTransaction,
  taken: readonly TakenRun[],
): Promise<{ readonly planned: readonly PlannedAdvance[]; readonly left: readonly LeftRun[] }> {
  const planned: PlannedAdvance[] = [];
  const left: LeftRun[] = [];
  const states = new StateReader(trx);
  const plan = async ({ beginning, locked, inherited }: TakenRun): Promise<void> => {
    const event = { ...(beginning.started as object), ...(inherited as Inherited | null) };
    try {
      const definition = await services.definitions.get(trx, locked.name, locked.version);
      const inbox = [{ seq: 0, event, ended: null }];
      const advance = new PlannedAdvance(locked, definition, inbox, states.readerOf(locked.runId));
      await advance.tellAll(services);
      planned.push(advance);
    } catch {
      left.push({ locked, started: event });
    }
  };
  await Promise.all(taken.map(plan));
  return { planned, left };
}
