/** A run that is taken from its worker and given to the engine: all of it or nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import { ENGINE_OWNER } from '@spine/database';
import { HandOver, RECEIVED } from '@spine/execution';
import { StepResult } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { rowOf } from './engine-support.ts';
import { openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

describe('a handler that hands its run over', () => {
  let bed: Bed;
  let lane: string;
  beforeAll(async () => {
    bed = await openBed({ queue: 'memory' });
    await bed.admin.query(
      'CREATE TABLE received (run_id uuid, epoch bigint); GRANT ALL ON received TO spine_app',
    );
    lane = bed.newLane();
    await bed.startWorker(lane);
  });
  afterAll(() => bed.close());

  const received = async (runId: string): Promise<unknown[]> =>
    (await bed.admin.query<{ epoch: number }>('SELECT epoch FROM received WHERE run_id = $1', [runId])).rows;

  it('has it received at the next epoch, and no longer holds it', async () => {
    const runId = await bed.submit(
      bed.probe(
        lane,
        ({ run }) =>
          new HandOver(async (trx, epoch) => {
            await sql`INSERT INTO received VALUES (${run.runId}, ${epoch})`.execute(trx);
            return RECEIVED;
          }),
      ),
    );
    await waitFor(async () => (await bed.events(runId)).includes('handed_over'));
    expect(await rowOf(bed.admin, runId)).toMatchObject({
      status: 'running',
      lease_owner: ENGINE_OWNER,
      epoch: 2,
    });
    expect(await received(runId)).toEqual([{ epoch: 2 }]);
  });

  it('hands over nothing of a run that it has lost meanwhile', async () => {
    const runId = await bed.submit(
      bed.probe(
        lane,
        ({ run }) =>
          new HandOver(async (trx, epoch) => {
            await sql`INSERT INTO received VALUES (${run.runId}, ${epoch})`.execute(trx);
            await bed.engine.dispatcher.cancel(run.runId);
            return RECEIVED;
          }),
      ),
    );
    await bed.reach(runId, 'cancelled');
    await waitFor(async () => (await bed.count('fenced', { operation: 'settle' })) > 0);
    expect(await received(runId)).toEqual([]);
  });

  it('tries again by its policy when it cannot be received', async () => {
    const runId = await bed.submit(
      bed.probe(
        lane,
        ({ run }) =>
          new HandOver(async (trx, epoch) => {
            await sql`INSERT INTO received VALUES (${run.runId}, ${epoch})`.execute(trx);
            if (run.attempt === 1) throw new Error('not now');
            return RECEIVED;
          }),
      ),
    );
    await waitFor(async () => (await bed.events(runId)).includes('handed_over'));
    expect(await rowOf(bed.admin, runId)).toMatchObject({ attempt: 2, epoch: 3 });
    expect(await received(runId)).toEqual([{ epoch: 3 }]);
  });

  it('is charged nothing when others were at the same rows', async () => {
    const runId = await bed.submit(
      bed.probe(
        lane,
        ({ run }) =>
          new HandOver(async (trx, epoch) => {
            if (run.epoch === 1) {
              await sql`DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$`.execute(trx);
            }
            await sql`INSERT INTO received VALUES (${run.runId}, ${epoch})`.execute(trx);
            return RECEIVED;
          }),
      ),
    );
    await waitFor(async () => (await bed.events(runId)).includes('handed_over'));
    expect(await bed.events(runId)).toContain('deferred');
    expect(await rowOf(bed.admin, runId)).toMatchObject({ attempt: 1 });
    expect(await received(runId)).toEqual([{ epoch: 4 }]);
  });

  it('keeps the place it has taken before a concurrency gate', async () => {
    const gated = bed.newLane();
    // Nobody tells the line of a place that no worker gives back: it is looked at with the poll.
    await bed.startWorker(gated, { pollMs: 50 });
    const gate = { concurrency: [{ key: 'one-at-a-time', limit: 1 }] };
    const first = await bed.submit(
      bed.probe(gated, () => new HandOver(() => Promise.resolve(RECEIVED)), gate),
    );
    await waitFor(async () => (await bed.events(first)).includes('handed_over'));
    const second = await bed.submit(bed.probe(gated, () => 'in', gate));
    await waitFor(async () => {
      const { rows } = await bed.admin.query('SELECT 1 FROM gate_waiters WHERE run_id = $1', [second]);
      return rows.length === 1;
    });
    const { rows } = await bed.admin.query('SELECT run_id, epoch FROM concurrency_holds WHERE key = $1', [
      'one-at-a-time',
    ]);
    expect(rows).toEqual([{ run_id: first, epoch: 2 }]);
    await bed.engine.dispatcher.cancel(first);
    await bed.reach(second, 'completed');
  });
});

describe('a workflow whose history is too long', () => {
  let bed: WorkflowBed;
  beforeAll(async () => {
    bed = await openWorkflowBed({
      functions: {
        count: (params, { run }) => {
          const n = Number(params['n']);
          return n < 3 && run.kind === 'step'
            ? StepResult.ok(
                { n },
                { modifications: [{ type: 'continue_as_new', params: { n: n + 1 }, keepOutputs: true }] },
              )
            : { n, before: params['before'] ?? null };
        },
      },
      workflows: [
        {
          name: 'test.countdown',
          steps: [{ kind: 'lambda', name: 'count', handler: 'count', params: { n: '{{ params.n }}' } }],
          outputs: { n: '{{ steps.count.output.n }}' },
        },
        {
          name: 'test.above',
          steps: [{ kind: 'workflow', name: 'below', workflow: 'test.countdown', params: { n: 1 } }],
          outputs: { n: '{{ steps.below.output.n }}' },
        },
      ],
    });
    await bed.begin();
  });
  afterAll(() => bed.close());

  it('goes on as a new run, and who waits for it waits for the last one', async () => {
    const run = await bed.run('test.above');
    expect(run.result).toEqual({ n: 3 });
    const { rows } = await bed.admin.query<{ params: unknown; status: string }>(
      `SELECT params, status FROM runs WHERE name = 'test.countdown' ORDER BY id`,
    );
    expect(rows).toEqual([1, 2, 3].map((n) => ({ params: { n }, status: 'completed' })));
  });

  it('is asked for as before: priority, tags, what its submitter wrote', async () => {
    const correlationId = 'countdown';
    const asked = { correlationId, priority: 'high', tags: ['data'], metadata: { ticket: 7 } } as const;
    await bed.start('test.countdown', { n: 2 }, asked);
    await waitFor(async () => (await continued())?.status === 'completed');
    const { metadata, ...run } = (await continued()) ?? {};
    expect(run).toEqual({ priority: 1, tags: ['data'], status: 'completed' });
    expect(Object.keys(metadata ?? {}).sort()).toEqual(['continues', 'ticket']);

    async function continued() {
      const { rows } = await bed.admin.query<{
        priority: number;
        tags: unknown;
        status: string;
        metadata: Record<string, unknown>;
      }>(
        `SELECT priority, tags, status, metadata FROM runs
         WHERE correlation_id = $1 AND metadata ? 'continues' AND params = '{"n": 3}'`,
        [correlationId],
      );
      return rows[0];
    }
  });

  it('is purged with everything that belongs to it', async () => {
    await bed.admin.query('DELETE FROM runs');
    for (const table of ['runs', 'state', 'steps', 'inbox', 'history', 'starts', 'approvals']) {
      const { rows } = await bed.admin.query(`SELECT 1 FROM workflow_${table}`);
      expect(rows, table).toEqual([]);
    }
    const { rows: versions } = await bed.admin.query(
      'SELECT name, version FROM workflow_definitions ORDER BY name',
    );
    expect(versions).toEqual([
      { name: 'test.above', version: 1 },
      { name: 'test.countdown', version: 1 },
    ]);
  });
});
