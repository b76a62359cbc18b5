/** The slots of a worker: each of what it executes, claims, looks for or has stored takes one. */
import type { Call, Worker, World } from './world.ts';

/** What a transaction that stores a run sends. */
export type StoringCall = Extract<Call, { type: 'begin' | 'store' | 'commit' }>;

export function isStoring(call: Call): call is StoringCall {
  return call.type === 'begin' || call.type === 'store' || call.type === 'commit';
}

/** Slots that are taken for what a worker waits for an answer of: claims, and runs that are being stored for it. */
export function openSlots(world: World, worker: Worker): number {
  return world.sent.filter(
    ({ call, caller }) =>
      (call.type === 'claim' || isStoring(call)) && call.worker === worker.id && caller === 'waiting',
  ).length;
}

export function freeSlots(world: World, worker: Worker): number {
  const { attempts, unanswered, lookingFor } = worker;
  const taken = attempts.length + unanswered.length + lookingFor.length;
  return world.plan.slots - taken - openSlots(world, worker);
}
