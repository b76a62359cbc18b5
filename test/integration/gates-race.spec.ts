/** Many workers under one key: what is never exceeded, whatever happens to them. */
import { afterEach, describe, expect, it } from 'vitest';
import type { HandlerContext } from '@spine/execution';
import type { Pool } from '@spine/database';
import { waitFor } from '@spine/testing';
import { inconsistentRuns } from './engine-support.ts';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed, BedOptions } from './engine-run-support.ts';
import { allOver, sweepLines } from './gates-support.ts';

let bed: Bed | null = null;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await bed?.close();
  bed = null;
});

async function open(options: Partial<BedOptions> = {}): Promise<Bed> {
  bed = await openBed({ queue: 'memory', ...options });
  return bed;
}

const key = (limit: number) => ({ concurrency: [{ key: 'k', limit }] });

/**
 * Counts, whenever a run of the lane starts, how many run, in the transaction that starts it: under the key's lock that is
 * exact. What is written shows the most there ever were.
 */
async function countStarts(admin: Pool): Promise<() => Promise<number>> {
  await admin.query(`
    CREATE TABLE started (n integer NOT NULL);
    GRANT INSERT ON started TO PUBLIC;
    CREATE FUNCTION count_started() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO started SELECT count(*) FROM runs WHERE lane = NEW.lane AND status = 'running';
      RETURN NULL;
    END $$;
    CREATE TRIGGER count_started AFTER UPDATE ON runs FOR EACH ROW
      WHEN (NEW.status = 'running' AND OLD.status <> 'running') EXECUTE FUNCTION count_started()`);
  return async () => {
    const { rows } = await admin.query<{ most: number }>(
      'SELECT COALESCE(max(n), 0)::int AS most FROM started',
    );
    return rows[0]?.most ?? 0;
  };
}

/** Looks at the table until it is stopped; answers with the most that ran at once. */
function watchTable(admin: Pool, lane: string): () => Promise<number> {
  const over = new AbortController();
  const watching = (async () => {
    let most = 0;
    while (!over.signal.aborted) {
      const { rows } = await admin.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM runs WHERE lane = $1 AND status = 'running'`,
        [lane],
      );
      most = Math.max(most, rows[0]?.n ?? 0);
    }
    return most;
  })();
  return () => {
    over.abort();
    return watching;
  };
}

/** Counts attempts that run and still hold their run. */
class Inside {
  #now = 0;
  most = 0;

  async run(ctx: HandlerContext, work: () => Promise<unknown>): Promise<void> {
    this.#now += 1;
    this.most = Math.max(this.most, this.#now);
    let counted = true;
    const leave = (): void => {
      if (counted) this.#now -= 1;
      counted = false;
    };
    ctx.signal.addEventListener('abort', leave, { once: true });
    try {
      await work();
    } finally {
      leave();
    }
  }
}

const QUEUES = ['memory', 'postgres', 'redis'] as const;

describe('200 runs under one key with 3 places, on 4 workers', () => {
  it.each(QUEUES)('never run more than 3 at once, and all run: %s', async (queue) => {
    const { newLane, probe, startWorker, submit, engine, admin } = await open({ queue });
    const lane = newLane();
    const mostStarted = await countStarts(admin);
    const stopWatching = watchTable(admin, lane);
    closing.push(stopWatching);
    const inside = new Inside();
    const allPlaces = deferred();
    closing.push(sweepLines(engine, 200));
    for (let worker = 0; worker < 4; worker += 1) await startWorker(lane, { slots: 10 });
    // The first stay until all three places are taken.
    const work = (ctx: HandlerContext) =>
      inside.run(ctx, () => {
        if (inside.most === 3) allPlaces.resolve();
        return allPlaces.promise;
      });
    await Promise.all(Array.from({ length: 200 }, () => submit(probe(lane, work, key(3)))));
    await allOver(admin, lane, { completed: 200 });
    expect(await stopWatching()).toBeLessThanOrEqual(3);
    expect(inside.most).toBe(3);
    expect(await mostStarted()).toBe(3);
    expect(await inconsistentRuns(admin)).toEqual([]);
  });

  it('nor while workers fall silent, leases are lost, runs are cancelled and zombies come back', async () => {
    const { newLane, probe, startWorker, submit, engine, admin } = await open();
    const lane = newLane();
    const mostStarted = await countStarts(admin);
    const stopWatching = watchTable(admin, lane);
    closing.push(stopWatching);
    closing.push(sweepLines(engine, 100));
    for (let worker = 0; worker < 3; worker += 1) await startWorker(lane, { slots: 10 });
    // Its leases run out under it, it does not hear of it, and what it settles comes too late.
    await startWorker(lane, { slots: 10, leaseMs: 500, heartbeatMs: 3_600_000, control: undefined });
    let starts = 0;
    const runIds: string[] = [];
    const work = async (ctx: HandlerContext): Promise<void> => {
      starts += 1;
      const [cancels, losesLease] = [starts % 5 === 0, starts % 7 === 0];
      // While it holds its run it is one of three, also to itself.
      await ctx.transaction(async (trx) => {
        const running = await trx
          .selectFrom('runs')
          .select(({ fn }) => fn.countAll<number>().as('n'))
          .where('lane', '=', lane)
          .where('status', '=', 'running')
          .executeTakeFirstOrThrow();
        expect(Number(running.n)).toBeLessThanOrEqual(3);
      });
      if (cancels) await engine.dispatcher.cancel(runIds[starts] ?? ctx.run.runId);
      if (!losesLease) return;
      // A zombie: it works on until its run was taken from it, whatever its signal says.
      await waitFor(async () => {
        // Its heartbeat may have come in between.
        await admin.query(
          `UPDATE runs SET lease_expires_at = now() - interval '1 hour' WHERE id = $1 AND epoch = $2 AND status = 'running'`,
          [ctx.run.runId, ctx.run.epoch],
        );
        return ((await engine.dispatcher.get(ctx.run.runId))?.epoch ?? 0) > ctx.run.epoch;
      });
    };
    const more = { ...key(3), maxRetries: 20 };
    await Promise.all(
      Array.from({ length: 200 }, async () => void runIds.push(await submit(probe(lane, work, more)))),
    );
    await allOver(admin, lane, null);
    expect(await stopWatching()).toBeLessThanOrEqual(3);
    expect(await mostStarted()).toBeLessThanOrEqual(3);
    expect(await inconsistentRuns(admin)).toEqual([]);
  });
});
