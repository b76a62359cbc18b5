/** Queries and answers of the lock endpoints, and the health of the schedulers. */
import { z } from 'zod';
import type { LockRecord } from '@spine/database';
import type { SchedulerHealth } from '@spine/scheduling';
import { text } from '../http/query-values.ts';

export const lockListQuery = z.strictObject({
  prefix: text(200).optional().describe('Keys that begin so.'),
});
export type LockListQuery = z.infer<typeof lockListQuery>;

export const lockJson = z
  .object({
    lock_key: z.string(),
    owner: z.string(),
    token: z.int().describe('Grows with every acquisition.'),
    active: z.boolean().describe('False once its lease is over.'),
    acquired_at: z.iso.datetime(),
    renewed_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    note: z.string().nullable(),
  })
  .meta({ id: 'Lock' });
export type LockJson = z.infer<typeof lockJson>;

export function toLockJson(lock: LockRecord): LockJson {
  return {
    lock_key: lock.key,
    owner: lock.owner,
    token: lock.token,
    active: lock.active,
    acquired_at: lock.acquiredAt.toISOString(),
    renewed_at: lock.renewedAt.toISOString(),
    expires_at: lock.expiresAt.toISOString(),
    note: lock.note,
  };
}

export const schedulerHealthJson = z
  .object({
    status: z
      .enum(['ok', 'late', 'leaderless'])
      .describe('late: something is due that nobody decides about; leaderless: no scheduler is there.'),
    schedulers: z.array(z.string()),
    schedules_active: z.int(),
    schedules_paused: z.int(),
    late: z.int(),
    oldest_due_at: z.iso.datetime().nullable(),
    last_decided_at: z.iso.datetime().nullable(),
    last_decided_by: z.string().nullable(),
    active_locks: z.array(lockJson),
    drift_ms: z.int().describe('Clock of the API’s host minus the database’s.'),
    database_time: z.iso.datetime(),
  })
  .meta({ id: 'SchedulerHealth' });
export type SchedulerHealthJson = z.infer<typeof schedulerHealthJson>;

export function toSchedulerHealthJson(health: SchedulerHealth): SchedulerHealthJson {
  return {
    status: health.status,
    schedulers: [...health.schedulers],
    schedules_active: health.active,
    schedules_paused: health.paused,
    late: health.late,
    oldest_due_at: health.oldestDueAt?.toISOString() ?? null,
    last_decided_at: health.lastDecidedAt?.toISOString() ?? null,
    last_decided_by: health.lastDecidedBy,
    active_locks: health.activeLocks.map(toLockJson),
    drift_ms: health.driftMs,
    database_time: health.now.toISOString(),
  };
}
