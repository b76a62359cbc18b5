/** Publications that are cut off, taken away or left unanswered: all of them or nothing, and once. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DbTransaction } from '@spine/database';
import { AttemptAbortedError, MemoryHintQueue } from '@spine/execution';
import type { HandlerContext, Hint, PublishStep, Worker } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { inconsistentRuns, rowOf, shift, somebodyWaitsForALock } from './engine-support.ts';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { countsOf, createOwnTable, EVERYTHING, NOTHING, publishAll, VERBS } from './publish-support.ts';

/** Loses hints while it is told to, and says nothing. */
class LossyQueue extends MemoryHintQueue {
  losing = false;
  override publish(hints: readonly Hint[]): Promise<void> {
    return this.losing ? Promise.resolve() : super.publish(hints);
  }
}

const queue = new LossyQueue();
let bed: Bed;
let lane: string;
let worker: Worker;
let onStep: (step: PublishStep, runId: string) => Promise<void> | void = () => undefined;
/** The transaction of the publication under way. */
let trx: DbTransaction | null = null;
let partitions = 0;

/** Its heartbeat comes too late to notice anything: what is refused is refused by the fence. */
const SILENT = { heartbeatMs: 3_600_000 };

beforeAll(async () => {
  bed = await openBed({ queue });
  await createOwnTable(bed.admin);
  lane = bed.newLane();
  worker = await startWorker();
});
afterEach(() => {
  onStep = () => undefined;
});
afterAll(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

const startWorker = (): Promise<Worker> =>
  bed.startWorker(lane, { ...SILENT, publishing: { onStep: (step, runId) => onStep(step, runId) } });

type Between = (verbs: number, ctx: HandlerContext) => Promise<void> | void;

/** Submits a run that publishes one of everything. */
async function submit(
  partition: string,
  between: Between = () => undefined,
  more: Parameters<Bed['probe']>[2] = {},
): Promise<string> {
  return bed.submit(
    bed.probe(
      lane,
      (ctx) =>
        ctx.publish((p) => {
          trx = p.trx;
          return publishAll(p, {
            partition,
            epoch: ctx.run.epoch,
            child: { lane },
            between: (verbs) => between(verbs, ctx),
          });
        }),
      more,
    ),
  );
}

const newPartition = (): string => `f${(partitions += 1)}`;

/** The transaction of the publication under way. */
function current(): DbTransaction {
  if (trx === null) throw new Error('nothing is published');
  return trx;
}

/** What ends the connection of the publication under way, as a server or a network would. */
async function breakConnection(): Promise<() => Promise<void>> {
  const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(current());
  return async () => {
    await bed.admin.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  };
}

/** Has the reaper take a run from its worker, and hints it to the others without the pause that follows a crash. */
async function loseLease(runId: string): Promise<void> {
  await shift(bed.admin, [runId], 'lease_expires_at', '-10 seconds');
  await bed.reach(runId, 'queued');
  const hinted = {
    runId,
    kind: 'task',
    name: 'probe',
    lane,
    priority: 'normal',
    delayMs: 0,
    gated: false,
  } as const;
  bed.engine.publisher.announce([hinted]);
}

/** Does something once at a step. */
function once(at: PublishStep, what: (runId: string) => Promise<void> | void): void {
  let done = false;
  onStep = async (step, runId) => {
    if (step !== at || done) return;
    done = true;
    await what(runId);
  };
}

describe('a COMMIT without an answer', () => {
  it('that has happened is a publication', async () => {
    once('settled', async () => {
      const breakIt = await breakConnection();
      await sql`COMMIT`.execute(current());
      await breakIt();
    });
    const partition = newPartition();
    const before = await bed.count('settled', { outcome: 'completed' });
    const runId = await submit(partition);
    const ended = await bed.reach(runId, 'completed');
    expect(ended).toMatchObject({ attempt: 1, epoch: 1 });
    expect(await countsOf(bed.admin, partition, runId)).toEqual(EVERYTHING);
    const { downstream } = ended.result as { downstream: string };
    await bed.reach(downstream, 'completed');
    await waitFor(() => worker.running === 0);
    // It was hinted at once; the relay had nothing to do with it.
    expect(await rowOf(bed.admin, downstream)).toMatchObject({ dispatch_no: 0 });
    // Nobody took it for a failed attempt: what it has stored outside of its row would have been removed.
    expect(await bed.count('settled', { outcome: 'completed' })).toBe(before + 2);
    expect(await bed.count('settled', { outcome: 'retry' })).toBe(0);
  });

  it('that has not happened is a failed attempt, which is tried again', async () => {
    once('settled', async () => {
      await (
        await breakConnection()
      )();
    });
    const partition = newPartition();
    const runId = await submit(partition);
    expect(await bed.reach(runId, 'completed')).toMatchObject({ attempt: 2 });
    expect(await countsOf(bed.admin, partition, runId)).toEqual(EVERYTHING);
    expect(await bed.events(runId)).toEqual([
      'submitted',
      'started',
      'retry_scheduled',
      'started',
      'completed',
    ]);
  });

  it('and a connection that breaks before, too', async () => {
    const partition = newPartition();
    const runId = await submit(partition, async (verbs, ctx) => {
      if (verbs === 5 && ctx.run.attempt === 1) await (await breakConnection())();
    });
    expect(await bed.reach(runId, 'completed')).toMatchObject({ attempt: 2 });
    expect(await countsOf(bed.admin, partition, runId)).toEqual(EVERYTHING);
  });
});

describe('the row of the run', () => {
  const isLocked = (runId: string): Promise<boolean> =>
    bed.admin.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE NOWAIT', [runId]).then(
      () => false,
      () => true,
    );
  const timeouts = async () => {
    const { rows } = await sql<{ idle: string; lock: string }>`SELECT
      current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('lock_timeout') AS lock
    `.execute(current());
    return rows[0];
  };

  it('is locked only while it is settled, by a transaction that cannot stand still for long', async () => {
    const seen: unknown[] = [];
    onStep = async (step, runId) => {
      if (step === 'worked' || step === 'settled') seen.push([step, await isLocked(runId), await timeouts()]);
    };
    await bed.reach(await submit(newPartition()), 'completed');
    expect(seen).toEqual([
      ['worked', false, { idle: '1min', lock: '0' }],
      ['settled', true, { idle: '5s', lock: '10s' }],
    ]);
  });
});

describe('a run that is taken away', () => {
  it('publishes nothing when it is cancelled before the commit', async () => {
    const partition = newPartition();
    const refused = deferred<unknown>();
    const runId = await bed.submit(
      bed.probe(lane, async (ctx) => {
        try {
          return await ctx.publish(async (p) => {
            const result = await publishAll(p, { partition, epoch: ctx.run.epoch, child: { lane } });
            await bed.engine.dispatcher.cancel(ctx.run.runId);
            return result;
          });
        } catch (error) {
          refused.resolve(error);
          throw error;
        }
      }),
    );
    await bed.reach(runId, 'cancelled');
    expect(await refused.promise).toBeInstanceOf(AttemptAbortedError);
    expect(await countsOf(bed.admin, partition, runId)).toEqual(NOTHING);
    await waitFor(() => worker.running === 0);
  });

  it('is not cancelled while it commits', async () => {
    let cancelled: Promise<unknown> = Promise.resolve(null);
    once('settled', async (runId) => {
      cancelled = bed.engine.dispatcher.cancel(runId);
      await somebodyWaitsForALock(bed.admin);
    });
    const partition = newPartition();
    const runId = await submit(partition);
    await bed.reach(runId, 'completed');
    expect(await cancelled).toEqual({ type: 'terminal', status: 'completed' });
    expect(await countsOf(bed.admin, partition, runId)).toEqual(EVERYTHING);
  });

  it.each([
    ['has written nothing yet', 0],
    ['holds rows that the other one needs', VERBS],
  ])('by the reaper is published by whoever has it next, when the zombie %s', async (_, at) => {
    const other = await startWorker();
    const [waits, goOn] = [deferred(), deferred()];
    const partition = newPartition();
    const fenced = await bed.count('fenced');
    const runId = await submit(partition, async (verbs, ctx) => {
      if (verbs !== at || ctx.run.attempt > 1) return;
      waits.resolve();
      await goOn.promise;
    });
    await waits.promise;
    await loseLease(runId);
    if (at === 0) await bed.reach(runId, 'completed');
    else await somebodyWaitsForALock(bed.admin);
    goOn.resolve();
    expect(await bed.reach(runId, 'completed')).toMatchObject({ attempt: 2, epoch: 3, crashCount: 1 });
    await waitFor(async () => (await bed.count('fenced')) > fenced);
    expect(await countsOf(bed.admin, partition, runId)).toEqual(EVERYTHING);
    const { rows } = await bed.admin.query('SELECT epoch FROM own_rows WHERE partition = $1', [partition]);
    expect(rows).toEqual([{ epoch: 3 }]);
    await other.stop(0);
  });
});

describe('an attempt whose time is over', () => {
  it('publishes nothing when its work is not done', async () => {
    const partition = newPartition();
    const runId = await submit(
      partition,
      async (verbs, ctx) => {
        if (verbs === VERBS) await waitFor(() => ctx.signal.aborted);
      },
      { timeoutSeconds: 0.1, maxRetries: 0, deadLetter: false },
    );
    await bed.reach(runId, 'timed_out');
    await waitFor(() => worker.running === 0);
    expect(await countsOf(bed.admin, partition, runId)).toEqual(NOTHING);
  });

  it('is completed when its commit is under way', async () => {
    const over = deferred();
    once('settled', () => over.promise);
    const partition = newPartition();
    let signal: AbortSignal | null = null;
    const runId = await submit(partition, (_, ctx) => void (signal = ctx.signal), {
      timeoutSeconds: 0.3,
      maxRetries: 0,
    });
    await waitFor(() => (signal as AbortSignal | null)?.aborted === true);
    over.resolve();
    await bed.reach(runId, 'completed');
    expect(await countsOf(bed.admin, partition, runId)).toEqual(EVERYTHING);
  });
});

describe('a worker that stops', () => {
  it('waits for a commit under way', async () => {
    const stopping = await startWorker();
    await worker.stop();
    const [reached, goOn] = [deferred(), deferred()];
    once('settled', async () => {
      reached.resolve();
      await goOn.promise;
    });
    const partition = newPartition();
    const runId = await submit(partition);
    await reached.promise;
    const stopped = stopping.stop(0);
    goOn.resolve();
    await stopped;
    worker = await startWorker();
    expect(await bed.reach(runId, 'completed')).toMatchObject({ attempt: 1 });
    expect(await countsOf(bed.admin, partition, runId)).toEqual(EVERYTHING);
  });
});

describe('a downstream run whose hint is lost', () => {
  it('is found by the relay', async () => {
    once('settled', () => void (queue.losing = true));
    const partition = newPartition();
    const runId = await submit(partition);
    const { result } = await bed.reach(runId, 'completed');
    const { downstream } = result as { downstream: string };
    await bed.engine.dispatcher.drain();
    queue.losing = false;
    await shift(bed.admin, [downstream], 'dispatch_after', '-1 second');
    await bed.reach(downstream, 'completed');
  });
});
