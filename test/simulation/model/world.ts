/**
 * The world of a simulation: Postgres, the queue, the workers, the clients, what is on its way between them, and what
 * an all-knowing observer remembers. A container that steps change in place; everything in it is replaced, never
 * changed, so that a copy of the container is a copy of the world.
 */
import type { Settlement } from '@spine/database';
import type { Guards } from './guards.ts';
import type { Invariant, Violation } from './invariants.ts';
import type { Row, Spec } from './row.ts';

/** What a simulated world consists of; fixed while it runs. */
export interface Plan {
  /** A client each: it submits one run, under an idempotency key of its own. */
  readonly clients: readonly Spec[];
  readonly workers: number;
  readonly slots: number;
  /** Whether workers poll Postgres as well. Off: hints alone bring runs to workers. */
  readonly polls: boolean;
  /** How far the reaper's process clock is ahead of the database's. */
  readonly skewMs: number;
  /** As many instances of a service as may have read the same run before either writes. */
  readonly instances: number;
  /** Whether workers take runs that their own process stores. */
  readonly adopts: boolean;
  /**
   * Whether the process that stores them sends an unanswered insert again, as one that submits does. Else whoever wanted the
   * run wants it anew, as a workflow's next advance does.
   */
  readonly repeats: boolean;
  /** Whether the API sends the hint of a run while its row is on its way. */
  readonly early: boolean;
  /** Whether the answer of a statement is a step of its own. */
  readonly answers: 'separate' | 'prompt';
}

/** The observer's name of one claim. Unlike an epoch it cannot be got wrong by a guard. */
export type Token = number;

/** A stored run, with what the observer knows of it. */
export interface Run {
  readonly client: number;
  readonly row: Row;
  /** Who has the run, by the order of what happened; null while nobody has. */
  readonly holder: { readonly token: Token; readonly epoch: number } | null;
  readonly claims: number;
  /** Claims whose handler has started. */
  readonly starts: readonly Token[];
  /** Claims whose settlement was accepted, in order. */
  readonly settledBy: readonly Token[];
  readonly terminalEvents: number;
  readonly deadLetters: number;
}

/** A claim as its worker knows it. */
export interface Claimed {
  readonly run: number;
  readonly token: Token;
  readonly epoch: number;
  readonly attempt: number;
  readonly spec: Spec;
}

export interface Attempt extends Claimed {
  /** `hung`: neither its handler nor its own timer ever ends it. */
  readonly phase: 'running' | 'hung' | 'ended';
  /** How it ended; null before. */
  readonly settlement: Settlement | null;
}

export interface Worker {
  /** Fresh for every process in this place, as lease owners are. */
  readonly id: number;
  /** `frozen`: its event loop is blocked, or it is cut off; `stopping`: told to stop. */
  readonly mode: 'up' | 'frozen' | 'stopping' | 'down';
  readonly attempts: readonly Attempt[];
  /** Runs of claims whose answer was lost, to be sent again. */
  readonly unanswered: readonly number[];
  /** Runs that may have been stored as claimed by this worker: nobody has answered their COMMIT. */
  readonly lookingFor: readonly number[];
  /** Runs of early hints that were not there yet. */
  readonly expecting: readonly Expected[];
}

export interface Expected {
  readonly run: number;
  /** When their hint came. */
  readonly since: number;
}

export interface Hint {
  readonly run: number;
  /** Sent while the row was on its way. */
  readonly early: boolean;
}

/** A transaction of a worker's process that stores a run, for the worker to take. */
interface Storing {
  readonly client: number;
  readonly run: number;
  readonly worker: number;
  /** Whether the same transaction cancels the run again. */
  readonly withdrawn: boolean;
}

export interface Client {
  readonly state: 'idle' | 'waiting' | 'unanswered' | 'accepted';
  /** The run of its latest submission; of the answer, once accepted. */
  readonly run: number | null;
}

/** A statement on its way. `worker` is a process, which may be gone when the statement arrives. */
export type Call =
  | {
      readonly type: 'submit';
      readonly client: number;
      readonly run: number;
      readonly hinted: boolean;
      /** Whether a hint was sent with it. */
      readonly early: boolean;
      readonly sentAt: number;
    }
  | (Storing & { readonly type: 'begin' })
  | (Storing & {
      readonly type: 'store';
      readonly hinted: boolean;
      /** Whether the worker has room for it. */
      readonly wanted: boolean;
      /** When the transaction began. */
      readonly begunAt: number;
      /** When the worker was asked, which is what it counts the lease from. */
      readonly askedAt: number;
    })
  | (Storing & {
      readonly type: 'commit';
      readonly askedAt: number;
      /** What nobody else sees before. */
      readonly stored: Run;
      /** What the INSERT has answered. */
      readonly claimed: Claimed | null;
    })
  | {
      readonly type: 'claim';
      readonly worker: number;
      readonly run: number;
      /** `look` only looks whether the run is this worker's. */
      readonly from: 'hint' | 'poll' | 'resend' | 'look';
      /** When the early hint came that brought it; null for any other claim. */
      readonly expectedSince: number | null;
    }
  | {
      readonly type: 'settle';
      readonly worker: number;
      readonly run: number;
      readonly token: Token;
      readonly epoch: number;
      readonly attempt: number;
      readonly settlement: Settlement;
    }
  | { readonly type: 'heartbeat'; readonly worker: number; readonly held: readonly Claimed[] }
  | {
      readonly type: 'event';
      readonly worker: number;
      readonly run: number;
      readonly token: Token;
      readonly epoch: number;
    }
  | { readonly type: 'reap'; readonly run: number; readonly seen: Row }
  | {
      readonly type: 'cancel' | 'pause' | 'resume' | 'relay' | 'expire' | 'unhint' | 'dead_letter';
      readonly run: number;
    };

export type Answer =
  | { readonly type: 'submit' | 'commit'; readonly run: number; readonly inserted: boolean }
  | { readonly type: 'begin'; readonly at: number }
  | { readonly type: 'store'; readonly stored: Run; readonly claimed: Claimed | null }
  | {
      readonly type: 'claim';
      readonly claimed: Claimed | null;
      /** It is this worker's own earlier claim, taken up as it is. */
      readonly own: boolean;
    }
  | { readonly type: 'settle'; readonly outcome: 'settled' | 'fenced' }
  | {
      readonly type: 'heartbeat';
      /** Places in `held` of what is still held. */ readonly alive: readonly number[];
    }
  | { readonly type: 'relay'; readonly hint: boolean };

export interface Sent {
  readonly call: Call;
  /** `gone`: nobody waits for the answer any more, but the statement may still arrive. */
  readonly caller: 'waiting' | 'gone';
  /** Null until the statement was executed. */
  readonly answer: Answer | null;
}

export interface World {
  readonly plan: Plan;
  readonly guards: Guards;
  /** Invariants the observer passes over, to see which others a weakened guard breaks. */
  readonly ignored: ReadonlySet<Invariant>;
  now: number;
  /** By number; null while a number is given to a submission that has not arrived. */
  runs: (Run | null)[];
  clients: Client[];
  workers: Worker[];
  sent: Sent[];
  /** The queue's jobs. */
  hints: Hint[];
  /** Runs of finished jobs that the queue keeps; only looked at with fixed job ids. */
  kept: number[];
  queueUp: boolean;
  /** All runs are of one lane. */
  lanePaused: boolean;
  /** Statements that a backstop of the schema has refused. */
  refused: number;
  violation: Violation | null;
}

export function newWorld(plan: Plan, guards: Guards, ignored: Iterable<Invariant> = []): World {
  return {
    plan,
    guards,
    ignored: new Set(ignored),
    now: 0,
    runs: [],
    clients: plan.clients.map(() => ({ state: 'idle', run: null })),
    workers: Array.from({ length: plan.workers }, (_, id) => newWorker(id)),
    sent: [],
    hints: [],
    kept: [],
    queueUp: true,
    lanePaused: false,
    refused: 0,
    violation: null,
  };
}

export function newWorker(id: number): Worker {
  return { id, mode: 'up', attempts: [], unanswered: [], lookingFor: [], expecting: [] };
}

export function copyWorld(world: World): World {
  return {
    ...world,
    runs: [...world.runs],
    clients: [...world.clients],
    workers: [...world.workers],
    sent: [...world.sent],
    hints: [...world.hints],
    kept: [...world.kept],
  };
}

/** The place of a worker process; a restart gives its place the next number. */
export function placeOf(world: World, worker: number): number {
  return worker % world.plan.workers;
}
