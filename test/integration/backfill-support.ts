/** Backfills over a real engine, whose partitions behave as their test says. */
import { z } from 'zod';
import { Backfills, createBackfillPump } from '@spine/execution';
import type { BackfillSpec, HandlerContext } from '@spine/execution';
import { getBackfill, listBackfillPartitions } from '@spine/database';
import type { Backfill, BackfillPartition, PartitionKey } from '@spine/database';
import { waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

export type Attempt = { readonly day: string; readonly ctx: HandlerContext };
export type PartitionBehaviour = (attempt: Attempt) => unknown;

export interface BackfillBed {
  readonly bed: Bed;
  readonly backfills: Backfills;
  /** A spec of partitions day-0 to day-n that behave like this, on a lane of their own. */
  specOf(
    lane: string,
    days: number,
    behaviour: PartitionBehaviour,
    more?: Partial<BackfillSpec>,
  ): BackfillSpec;
  /** A pump that runs until the test ends. */
  startPump(): void;
  plan(backfillId: string): Promise<Backfill>;
  partitions(backfillId: string): Promise<BackfillPartition[]>;
  /** The plan once it has this status. */
  reach(backfillId: string, status: Backfill['status']): Promise<Backfill>;
  stopPumps(): Promise<void>;
  close(): Promise<void>;
}

export const days = (count: number): PartitionKey[] =>
  Array.from({ length: count }, (_, n) => ({ day: `day-${n}` }));

export async function openBackfillBed(): Promise<BackfillBed> {
  const behaviours = new Map<string, PartitionBehaviour>();
  const bed = await openBed({
    queue: 'memory',
    register: (registry) => {
      registry.registerTask(
        'partition',
        { description: 'One partition.', params: z.strictObject({ test: z.string(), day: z.string() }) },
        ({ test, day }, ctx) => behaviours.get(test)?.({ day, ctx }),
      );
    },
  });
  const { engine } = bed;
  const backfills = new Backfills(engine);
  let pumps: ReturnType<typeof createBackfillPump>[] = [];
  const plan = async (backfillId: string): Promise<Backfill> => {
    const found = await getBackfill(engine.db, backfillId);
    if (found === null) throw new Error(`no backfill ${backfillId}`);
    return found;
  };
  const stopPumps = async (): Promise<void> => {
    await Promise.all(pumps.map((pump) => pump.stop()));
    pumps = [];
  };
  return {
    bed,
    backfills,
    specOf: (lane, count, behaviour, more = {}) => {
      const test = `test-${behaviours.size}`;
      behaviours.set(test, behaviour);
      return {
        domain: 'test',
        source: 'days',
        reason: 'GAP',
        partitionKeys: days(count),
        run: { kind: 'task', name: 'partition', params: { test }, lane, maxRetries: 0 },
        ...more,
      };
    },
    startPump: () => {
      const pump = createBackfillPump({ ...engine, everyMs: 20 });
      pumps.push(pump);
      pump.start();
    },
    plan,
    partitions: (backfillId) => listBackfillPartitions(engine.db, backfillId, { limit: 10_000 }),
    reach: async (backfillId, status) => {
      let seen: Backfill | null = null;
      await waitFor(
        async () => {
          seen = await plan(backfillId);
          return seen.status === status;
        },
        { timeoutMs: 15_000, message: () => `backfill ${status}; last seen: ${JSON.stringify(seen)}` },
      );
      return plan(backfillId);
    },
    stopPumps,
    close: async () => {
      await stopPumps();
      await bed.close();
    },
  };
}
