/** A database that goes away with the COMMIT of a publication: the worker asks until it is told what came of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import type { DbTransaction } from '@spine/database';
import {
  createEngine,
  HandlerRegistry,
  MemoryHintQueue,
  registerBuiltinHandlers,
  taskSpec,
  Worker,
} from '@spine/execution';
import type { Engine, PublishStep } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { TcpProxy } from '../chaos/bed/tcp-proxy.ts';
import { inconsistentRuns, runOf, store } from './engine-support.ts';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { countsOf, createOwnTable, EVERYTHING, NOTHING, registerPublishing } from './publish-support.ts';

const LANE = 'unreachable';
let bed: Bed;
let proxy: TcpProxy;
let engine: Engine;
let worker: Worker;
let onStep: (step: PublishStep) => Promise<void> | void = () => undefined;
let trx: DbTransaction | null = null;
/** Enough for a database that comes back, in a second or so. */
const ASKS = 6;

beforeAll(async () => {
  bed = await openBed({ queue: 'memory', maintained: false });
  await createOwnTable(bed.admin);
  const url = new URL(bed.databaseUrl);
  const port = Number(url.port);
  proxy = await TcpProxy.start(() => port);
  url.port = String(proxy.port);
  engine = await createEngine({
    databaseUrl: url.href,
    redisUrl: null,
    registry: registerPublishing(registerBuiltinHandlers(new HandlerRegistry()), {
      lane: 'nobody',
      onPublication: (p) => (trx = p.trx),
    }),
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'unreachable',
    queue: new MemoryHintQueue(),
  });
  worker = new Worker({
    ...engine,
    lanes: [LANE],
    pollMs: 50,
    publishing: { onStep: (step) => onStep(step), asks: ASKS },
  });
  await worker.start();
});
afterAll(async () => {
  proxy.set('open');
  await worker.stop(0);
  await engine.close();
  await proxy.stop();
  await bed.close();
});

/** Executes one run, and lets the database go away once, right before its COMMIT is sent. */
async function executeAndCutOff(partition: string, atCut: () => Promise<unknown>): Promise<string> {
  onStep = async (step) => {
    if (step !== 'settled') return;
    onStep = () => undefined;
    await atCut();
    proxy.set('refuse');
  };
  const run = runOf(
    taskSpec('publish.all', { partition, failpoint: 'before' }, { lane: LANE, retryDelaySeconds: 0 }),
  );
  const [runId = ''] = await store(bed.admin, [run]);
  await waitFor(() => proxy.links === 0 && worker.running === 1);
  return runId;
}

describe('a database that goes away with a COMMIT', () => {
  it('is asked until it says that it happened', async () => {
    const runId = await executeAndCutOff('happened', async () => {
      if (trx !== null) await sql`COMMIT`.execute(trx);
    });
    // Nobody who waits for the answer takes the run for failed.
    expect(await countsOf(bed.admin, 'happened', runId)).toEqual(EVERYTHING);
    proxy.set('open');
    await waitFor(() => worker.running === 0);
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'completed', attempt: 1 });
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
  });

  it('is not asked for ever: then the lease decides, and what has committed stays', async () => {
    const runId = await executeAndCutOff('nobody-knows', async () => {
      if (trx !== null) await sql`COMMIT`.execute(trx);
    });
    // Settled as nothing: neither completed nor failed.
    await waitFor(() => worker.running === 0);
    const { values } = await engine.metrics.settled.get();
    expect(values.map(({ labels, value }) => [labels.outcome, value])).toEqual([['completed', 1]]);
    proxy.set('open');
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'completed', attempt: 1 });
    expect(await countsOf(bed.admin, 'nobody-knows', runId)).toEqual(EVERYTHING);
  });

  it('is asked until it says that it has not, and the run is tried again', async () => {
    const runId = await executeAndCutOff('not', () => Promise.resolve());
    expect(await countsOf(bed.admin, 'not', runId)).toEqual(NOTHING);
    proxy.set('open');
    await bed.reach(runId, 'completed');
    expect(await bed.events(runId)).toEqual([
      'submitted',
      'started',
      'retry_scheduled',
      'started',
      'completed',
    ]);
    expect(await countsOf(bed.admin, 'not', runId)).toEqual(EVERYTHING);
  });
});
