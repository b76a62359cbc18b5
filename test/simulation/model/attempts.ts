/** The attempts of a worker, from when it is told that it has a run. */
import { report } from './observer.ts';
import { LEASE_MS } from './row.ts';
import type { Attempt, Claimed, Worker, World } from './world.ts';
import { placeOf } from './world.ts';

/** The worker process of this number, if it still is there. */
export function workerOf(world: World, id: number): Worker | null {
  const worker = world.workers[placeOf(world, id)];
  return worker !== undefined && worker.id === id && worker.mode !== 'down' ? worker : null;
}

export function putWorker(world: World, worker: Worker): void {
  world.workers[placeOf(world, worker.id)] = worker;
}

/**
 * Starts the handler of a claim.
 * @param askedAt what the worker counts the lease from, where that is another moment than the claim's.
 */
export function beginAttempt(
  world: World,
  worker: Worker,
  claimed: Claimed,
  askedAt: number | null = null,
): void {
  putWorker(world, { ...worker, attempts: withClaimed(worker, claimed) });
  const { run: number, token } = claimed;
  const run = world.runs[number] ?? null;
  const broken = (detail: string): void => report(world, { invariant: 'starts_within_claims', detail });
  if (run === null || token >= run.claims) {
    broken(`run ${number} starts its handler without a claim that has committed`);
    return;
  }
  if (run.starts.includes(token)) broken(`claim ${token} of run ${number} starts its handler again`);
  const { leaseExpiresAt } = run.row;
  const holds = run.holder?.token === token && leaseExpiresAt !== null;
  if (askedAt !== null && holds && leaseExpiresAt < askedAt + LEASE_MS) {
    report(world, {
      invariant: 'lease_known',
      detail: `the lease of run ${number} ends before its worker thinks`,
    });
  }
  world.runs[number] = { ...run, starts: [...run.starts, token] };
}

/** A worker that stops hands back at once what it still gets. */
function attemptOf(worker: Worker, claimed: Claimed): Attempt {
  if (worker.mode !== 'stopping') return { ...claimed, phase: 'running', settlement: null };
  return { ...claimed, phase: 'ended', settlement: { type: 'handed_back', reason: 'stop' } };
}

/** An older attempt of the same run has lost it, and no heartbeat would tell it any more. */
function withClaimed(worker: Worker, claimed: Claimed): readonly Attempt[] {
  const others = worker.attempts.filter(({ run, phase }) => run !== claimed.run || phase === 'ended');
  return [...others, attemptOf(worker, claimed)];
}
