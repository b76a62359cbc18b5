/** What the tests of gates start with: runs with gates, claims of them, and pools that tell what is asked of them. */
import { newId } from '@spine/core';
import { claimGated, decodeGates } from '@spine/database';
import type { GatedClaimOptions, GatedClaims, Pool } from '@spine/database';
import { createGateSweep } from '@spine/execution';
import type { Engine, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { expect } from 'vitest';
import { HANDLERS, LEASE_MS, storeMany } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

/** Claims as a worker does that knows the handlers of the engine's tests and no gates of theirs. */
export function claimWithGates(
  pool: Pool,
  runIds: readonly string[],
  more: Partial<GatedClaimOptions> = {},
): Promise<GatedClaims> {
  return claimGated(pool, runIds, {
    workerId: newId(),
    leaseMs: LEASE_MS,
    handlers: HANDLERS,
    withParams: [],
    gatesOf: ({ gates }) => decodeGates(gates),
    ...more,
  });
}

/** Stores runs with gates and claims what their gates let through. */
export async function storeAndClaim(
  base: EngineDatabase,
  count: number,
  spec: Partial<WorkSpec>,
): Promise<{ readonly runIds: string[] } & GatedClaims> {
  const runIds = await storeMany(base.pool, count, spec);
  return { runIds, ...(await claimWithGates(base.pool, runIds)) };
}

/** Told before each statement, which waits for it; may have its answer lost on the way, as by a broken connection. */
export type Watch = (text: string) => void | 'lose the answer' | Promise<void>;

function textOf(config: unknown): string {
  if (typeof config === 'string') return config;
  return typeof config === 'object' && config !== null && 'text' in config ? String(config.text) : '';
}

/** A pool whose statements are watched, the transactions' too. */
export function watchedPool(pool: Pool, watch: Watch): Pool {
  const queryOf = (target: object) => {
    const query: unknown = Reflect.get(target, 'query');
    return async (...args: unknown[]): Promise<unknown> => {
      const said = await watch(textOf(args[0]));
      const answer: unknown =
        typeof query === 'function' ? await Reflect.apply(query, target, args) : undefined;
      if (said === 'lose the answer')
        throw Object.assign(new Error('the connection broke'), { code: 'ECONNRESET' });
      return answer;
    };
  };
  const proxyOf = <T extends object>(target: T, more: Record<string, unknown>): T =>
    new Proxy(target, {
      get: (object, name): unknown => {
        if (typeof name === 'string' && Object.hasOwn(more, name)) return more[name];
        const value: unknown = Reflect.get(object, name);
        return typeof value === 'function' ? value.bind(object) : value;
      },
    });
  return proxyOf(pool, {
    query: queryOf(pool),
    connect: async () => {
      const client = await pool.connect();
      return proxyOf(client, { query: queryOf(client) });
    },
  });
}

/** Rows of the lines, in their order. */
export async function lineOf(admin: Pool, key: string): Promise<{ run_id: string; woken: boolean }[]> {
  const { rows } = await admin.query<{ run_id: string; woken: boolean }>(
    `SELECT run_id, woken_at IS NOT NULL AS woken FROM gate_waiters WHERE key = $1 ORDER BY priority, run_id`,
    [key],
  );
  return rows;
}

/** Makes an announced turn as old as one that nobody came for. */
export async function forgetTurns(admin: Pool): Promise<void> {
  await admin.query(
    `UPDATE gate_waiters SET woken_at = now() - interval '1 hour' WHERE woken_at IS NOT NULL`,
  );
}

/** Waits until every run of the lane is over; where it matters, with these numbers by status. */
export async function allOver(
  admin: Pool,
  lane: string,
  expected: Record<string, number> | null,
): Promise<void> {
  let seen: unknown = null;
  await waitFor(
    async () => {
      const { rows } = await admin.query<{ status: string; n: number; open: number }>(
        `SELECT status, count(*)::int AS n, count(*) FILTER (WHERE completed_at IS NULL)::int AS open
         FROM runs WHERE lane = $1 GROUP BY status`,
        [lane],
      );
      seen = rows;
      return rows.length > 0 && rows.every(({ open }) => open === 0);
    },
    { timeoutMs: 25_000, message: () => `all over; last seen ${JSON.stringify(seen)}` },
  );
  if (expected === null) return;
  const { rows } = await admin.query<{ status: string; n: number }>(
    'SELECT status, count(*)::int AS n FROM runs WHERE lane = $1 GROUP BY status',
    [lane],
  );
  expect(Object.fromEntries(rows.map(({ status, n }) => [status, n]))).toEqual(expected);
}

/** What a scheduler does for lines, quickly; answers with what ends it. */
export function sweepLines(engine: Engine, lookMs: number): () => Promise<void> {
  const swept = createGateSweep({ ...engine, lookMs, removeMs: 50 });
  swept.start();
  return () => swept.stop();
}
