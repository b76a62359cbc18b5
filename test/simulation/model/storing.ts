/**
 * A transaction that stores a run as claimed by a worker of the process that stores it, in Postgres.
 *
 * 1. Nobody sees the run before the COMMIT; the observer takes it as inserted, claimed and perhaps cancelled. 2. The lease
 * counts from the INSERT, however late the COMMIT is. 3. Of several transactions for the same piece of work one stores
 * its run: the others find that row, as an advance finds the step of an earlier one.
 */
import { adoptRow, insertRow } from './insert-statements.ts';
import type { Cause } from './invariants.ts';
import { claimedOf, newRun, observe, report, runAfter } from './observer.ts';
import type { Change } from './row.ts';
import { cancelRow } from './service-statements.ts';
import type { Answer, Call, Run, World } from './world.ts';

type CallOf<T extends Call['type']> = Extract<Call, { type: T }>;

/** The INSERT, and what else the transaction does to the run. */
export function store(world: World, call: CallOf<'store'>): Answer {
  const { guards, now, lanePaused } = world;
  const { client, run: number, worker, begunAt } = call;
  const spec = world.plan.clients[client];
  if (spec === undefined) throw new RangeError(`no client ${client}`);
  let run = newRun(client, insertRow(spec, call.hinted, begunAt).row);
  const input = { worker, lanePaused, begunAt, now };
  const adopted = call.wanted ? adoptRow(run.row, input, guards) : null;
  if (adopted !== null) run = changed(world, run, adopted, { type: 'claim', token: 0 });
  const claimed = claimedOf(run, number);
  const cancelled = call.withdrawn ? cancelRow(run.row, guards) : null;
  // A claim that its own transaction takes back has never been in force.
  if (cancelled !== null) run = { ...changed(world, run, cancelled, { type: 'cancel' }), claims: 0 };
  return { type: 'store', stored: run, claimed };
}

function changed(world: World, before: Run, change: Change, cause: Cause): Run {
  const after = runAfter(before, change, cause);
  observe(world, before, after, cause, change);
  return after;
}

/** From now on everybody sees the run. */
export function commit(world: World, { client, run, stored }: CallOf<'commit'>): Answer {
  const key = world.runs.findIndex((each) => each?.client === client);
  if (key !== -1 && world.guards.submitUniqueKey) return { type: 'commit', run: key, inserted: false };
  if (key !== -1) {
    report(world, { invariant: 'one_run_per_key', detail: `runs ${key} and ${run} of one client` });
  }
  world.runs[run] = stored;
  return { type: 'commit', run, inserted: true };
}
