/**
 * Word to the workers about runs that were taken from them, lanes that were paused, workflows that were told something, and
 * a worker that is to stop: Postgres LISTEN/NOTIFY.
 *
 * 1. A notification is a hurry-up, never a decision: the fence was raised in the statement before it, and the next
 *    heartbeat finds out what a lost notification would have said.
 * 2. It is sent after that statement has committed, or by its commit, so that nobody hears of what may still be rolled back.
 */
import { isUuid } from '@spine/core';
import type { Queryable } from '../sql/pool.ts';

export const CONTROL_CHANNEL = 'spine_control';

/** Why a run was taken from the worker that ran it. */
export type TakenReason = 'cancelled' | 'paused';

export type ControlMessage =
  /** Attempts of this run below this epoch have lost it. */
  | {
      readonly type: 'taken';
      readonly runId: string;
      readonly epoch: number;
      readonly reason: TakenReason;
    }
  /** A lane was paused or resumed. */
  | { readonly type: 'lanes' }
  /** A circuit breaker opened, closed or is being tried. */
  | { readonly type: 'breakers' }
  /** This worker is asked to stop. */
  | { readonly type: 'drain'; readonly workerId: string }
  /** A workflow run was told something by a process that does not advance workflows. */
  | { readonly type: 'workflows' };

/** In SQL: word to the drivers of workflows, sent by the commit of the statement it stands in. */
export const TELL_DRIVERS_SQL = `pg_notify('${CONTROL_CHANNEL}', '{"type":"workflows"}')`;

/** Tells every listening worker; called after the change has committed. */
export async function notifyWorkers(db: Queryable, messages: readonly ControlMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await db.query({
    text: `SELECT pg_notify('${CONTROL_CHANNEL}', m) FROM unnest($1::text[]) AS t(m)`,
    values: [messages.map((message) => JSON.stringify(message))],
  });
}

/** A payload as a message; null for one that Spine did not write. */
export function parseControlMessage(payload: string | undefined): ControlMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(payload ?? '');
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return null;
  if (value.type === 'lanes' || value.type === 'breakers' || value.type === 'workflows') {
    return { type: value.type };
  }
  if (value.type === 'drain') return drainMessage('workerId' in value ? value.workerId : undefined);
  if (value.type !== 'taken' || !('runId' in value) || !('epoch' in value) || !('reason' in value))
    return null;
  const { runId, epoch, reason } = value;
  if (typeof runId !== 'string' || !isUuid(runId) || typeof epoch !== 'number') return null;
  if (reason !== 'cancelled' && reason !== 'paused') return null;
  return { type: 'taken', runId, epoch, reason };
}

function drainMessage(workerId: unknown): ControlMessage | null {
  return typeof workerId === 'string' && isUuid(workerId) ? { type: 'drain', workerId } : null;
}
