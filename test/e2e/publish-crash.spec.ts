/**
 * kill -9 in the middle of publications: a worker process executes a run for every failpoint, and is killed once each has
 * reached its own. Another worker takes over.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createReaper, taskSpec } from '@spine/execution';
import type { Ticker } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { inconsistentRuns, runOf, shift, store } from '../integration/engine-support.ts';
import { openBed } from '../integration/engine-run-support.ts';
import type { Bed } from '../integration/engine-run-support.ts';
import {
  countsOf,
  createOwnTable,
  EVERYTHING,
  FAILPOINTS,
  NOTHING,
  registerPublishing,
} from '../integration/publish-support.ts';
import type { Failpoint } from '../integration/publish-support.ts';

const PROGRAM = fileURLToPath(new URL('programs/publishing-worker.ts', import.meta.url));
const LANE = 'publishing';

let bed: Bed;
let victim: ChildProcess | null = null;
/** The run of each failpoint. */
const runs = new Map<Failpoint, string>();
const reached = new Set<string>();
let reaper: Ticker;

beforeAll(async () => {
  bed = await openBed({
    queue: 'memory',
    // A relay would hint the runs to workers of this process.
    maintained: false,
    register: (registry) => void registerPublishing(registry, { lane: LANE }),
  });
  await createOwnTable(bed.admin);
  reaper = createReaper({ ...bed.engine, lanes: [], reaperMs: 50 });
  reaper.start();
});
afterAll(async () => {
  victim?.kill('SIGKILL');
  await reaper.stop();
  await bed.close();
});

/** Starts the worker that is killed, and waits until every run is at its failpoint. */
async function allAtTheirFailpoint(): Promise<void> {
  const output: string[] = [];
  victim = fork(PROGRAM, [bed.databaseUrl, LANE], {
    env: { PATH: process.env['PATH'] ?? '' },
    execArgv: ['--conditions=@spine/source'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  victim.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  victim.on('message', ({ runId }: { runId: string }) => reached.add(runId));
  await waitFor(() => reached.size === FAILPOINTS.length, {
    timeoutMs: 60_000,
    message: () => `every run is at its failpoint; only ${reached.size} are. ${output.join('')}`,
  });
}

const partitionOf = (failpoint: Failpoint): string => failpoint.replace(' ', '-');

const countsAt = (failpoint: Failpoint) =>
  countsOf(bed.admin, partitionOf(failpoint), runs.get(failpoint) ?? '');

describe('a worker that is killed while its runs publish', () => {
  it('leaves all of a publication or nothing', { timeout: 90_000 }, async () => {
    const rows = FAILPOINTS.map((failpoint) =>
      runOf({
        ...taskSpec('publish.all', { partition: partitionOf(failpoint), failpoint }, { lane: LANE }),
      }),
    );
    const runIds = await store(bed.admin, rows);
    FAILPOINTS.forEach((failpoint, index) => runs.set(failpoint, runIds[index] ?? ''));

    await allAtTheirFailpoint();
    if (victim === null) throw new Error('no worker');
    const dead = once(victim, 'exit');
    victim.kill('SIGKILL');
    expect(await dead).toEqual([null, 'SIGKILL']);
    await waitFor(async () => {
      const { rows: left } = await bed.admin.query(
        `SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'spine-publishing-worker%'`,
      );
      return left.length === 0;
    });

    for (const failpoint of FAILPOINTS) {
      const expected = failpoint === 'committed' ? EVERYTHING : NOTHING;
      expect({ failpoint, ...(await countsAt(failpoint)) }).toEqual({ failpoint, ...expected });
    }
  });

  it('has each of its runs published once by the worker that takes over', async () => {
    const unfinished = FAILPOINTS.filter((failpoint) => failpoint !== 'committed');
    const left = unfinished.map((failpoint) => runs.get(failpoint) ?? '');
    await bed.startWorker(LANE, { pollMs: 50 });
    await shift(bed.admin, left, 'lease_expires_at', '-10 seconds');
    for (const failpoint of FAILPOINTS) {
      const run = await bed.reach(runs.get(failpoint) ?? '', 'completed');
      const isFirst = failpoint === 'committed';
      expect(run).toMatchObject({
        attempt: isFirst ? 1 : 2,
        epoch: isFirst ? 1 : 3,
        crashCount: isFirst ? 0 : 1,
      });
      expect({ failpoint, ...(await countsAt(failpoint)) }).toEqual({ failpoint, ...EVERYTHING });
      const { downstream } = run.result as { downstream: string };
      // The hint of the run that was published by the dead worker went with it.
      if (isFirst) await shift(bed.admin, [downstream], 'dispatch_after', '-1 second');
      expect(await bed.reach(downstream, 'completed')).toMatchObject({ parentRunId: run.runId });
    }
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
  });
});
