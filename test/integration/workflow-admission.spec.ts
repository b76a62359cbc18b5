/** How many runs of a workflow are under way, and what becomes of one run more; whoever starts it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lockAdmission, takePlaces } from '@spine/database';
import { explainRun, loadExplainFacts, workflowSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred } from './engine-run-support.ts';
import { rowOf } from './engine-support.ts';
import { noLeftovers, LANE, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

let bed: WorkflowBed;
/** By the name of a run: ends its step. */
const gates = new Map<string, ReturnType<typeof deferred<void>>>();
const gateOf = (name: string): ReturnType<typeof deferred<void>> => {
  const known = gates.get(name) ?? deferred<void>();
  gates.set(name, known);
  return known;
};
const begun: string[] = [];
const undone: string[] = [];
/** Steps of `test.crowd` at the same time. */
let inside = 0;
let most = 0;
const ROOM = 3;
const full = deferred();

const held = (name: string) => ({
  name,
  steps: [
    {
      kind: 'lambda' as const,
      name: 'done',
      handler: 'note',
      params: { name: '{{ params.name }}' },
      compensate: { kind: 'lambda' as const, handler: 'undo', params: { name: '{{ params.name }}' } },
    },
    { kind: 'lambda' as const, name: 'held', handler: 'hold', params: { name: '{{ params.name }}' } },
  ],
});

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: {
      note: () => ({}),
      undo: ({ name }) => {
        undone.push(String(name));
        return {};
      },
      hold: async ({ name }, ctx) => {
        begun.push(String(name));
        const aborted = new Promise<void>((resolve) =>
          ctx.signal.addEventListener('abort', () => resolve(), { once: true }),
        );
        await Promise.race([gateOf(String(name)).promise, aborted]);
        return { name: String(name) };
      },
      crowd: async () => {
        inside += 1;
        most = Math.max(most, inside);
        if (inside === ROOM) full.resolve();
        await full.promise;
        inside -= 1;
        return {};
      },
    },
    workflows: [
      { ...held('test.queue'), concurrency: { maxRuns: 1 } },
      { ...held('test.impatient'), concurrency: { maxRuns: 1, queueTimeoutSeconds: 0.2 } },
      { ...held('test.skip'), concurrency: { maxRuns: 1, onConflict: 'skip' } },
      { ...held('test.newest'), concurrency: { maxRuns: 1, onConflict: 'cancel_existing' } },
      {
        name: 'test.crowd',
        concurrency: { maxRuns: ROOM },
        steps: [{ kind: 'lambda', name: 'crowd', handler: 'crowd' }],
      },
      {
        name: 'test.parent',
        steps: [{ kind: 'workflow', name: 'child', workflow: 'test.skip', params: { name: 'child' } }],
      },
    ],
  });
  // Two that claim and two that advance.
  await bed.begin();
  await bed.begin();
});
afterAll(() => bed.close());

async function hold(workflow: string, name: string, more = {}): Promise<string> {
  const runId = await bed.start(workflow, { name }, more);
  await waitFor(() => begun.includes(name));
  return runId;
}

async function inLine(runId: string): Promise<void> {
  await waitFor(async () => {
    const { rows } = await bed.admin.query('SELECT 1 FROM gate_waiters WHERE run_id = $1', [runId]);
    return rows.length === 1;
  });
}

describe('queue', () => {
  it('holds no worker, is charged nothing, says why, and begins when there is room', async () => {
    const first = await hold('test.queue', 'q1');
    const second = await bed.start('test.queue', { name: 'q2' });
    await inLine(second);
    expect(await bed.engine.dispatcher.get(second)).toMatchObject({
      status: 'queued',
      attempt: 0,
      startedAt: null,
    });
    const facts = await loadExplainFacts(bed.engine.db, bed.engine.registry, second);
    if (facts === null) throw new Error('no facts');
    expect(explainRun(facts)).toMatchObject({
      waiting: true,
      reasons: [{ code: 'concurrency_limit', key: 'workflow:test.queue', limit: 1, runIds: [first] }],
    });
    gateOf('q1').resolve();
    await bed.reach(first, 'completed');
    gateOf('q2').resolve();
    expect(await bed.reach(second, 'completed')).toMatchObject({ attempt: 1 });
    expect(await bed.events(second)).toContain('deferred');
  });

  it('gives up after its time', async () => {
    const first = await hold('test.impatient', 'i1');
    const second = await bed.start('test.impatient', { name: 'i2' });
    const ended = await bed.reach(second, 'timed_out');
    expect(ended.error).toMatchObject({ type: 'ExpiredError' });
    expect(begun).not.toContain('i2');
    gateOf('i1').resolve();
    await bed.reach(first, 'completed');
  });

  it('a paused run gives its place to the next, and waits for one when it is resumed', async () => {
    const first = await hold('test.queue', 'p1');
    await bed.engine.dispatcher.pause(first);
    const second = await hold('test.queue', 'p2');
    await bed.engine.dispatcher.resume(first);
    await inLine(first);
    expect((await bed.engine.dispatcher.get(first))?.startedAt).not.toBeNull();
    gateOf('p1').resolve();
    gateOf('p2').resolve();
    await bed.reach(second, 'completed');
    await bed.reach(first, 'completed');
  });

  it('is decided by one hand-over after the other, and the second sees what the first has taken', async () => {
    const first = await hold('test.queue', 'l1');
    const { epoch } = await rowOf(bed.admin, first);
    const gate = { type: 'concurrency', key: 'a lock', limit: 1, from: 'handler' } as const;
    const { db } = bed.engine;
    const second = await bed.start('test.queue', { name: 'l2' });
    const looks = await db.transaction().execute(async (trx) => {
      await lockAdmission(trx, first, [gate], []);
      const looking = db.transaction().execute((other) => lockAdmission(other, second, [gate], []));
      await waitFor(async () => {
        const { rows } = await bed.admin.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
             AND query LIKE '%gate_states%'`,
        );
        return rows.length > 0;
      });
      await takePlaces(trx, first, epoch, [gate.key]);
      return { looking };
    });
    expect((await looks.looking)?.others).toMatchObject([{ runId: first, holds: true, begun: true }]);
    for (const name of ['l1', 'l2']) gateOf(name).resolve();
    for (const runId of [first, second]) await bed.reach(runId, 'completed');
  });

  it('never more than are allowed, however many come at once', async () => {
    const runs = 12;
    const specs = Array.from({ length: runs }, () => workflowSpec('test.crowd', {}, { lane: LANE }));
    const underWay: number[] = [];
    await bed.engine.dispatcher.submitAll(specs);
    await waitFor(
      async () => {
        const { rows } = await bed.admin.query<{ running: number; done: number }>(
          `SELECT (SELECT count(*) FROM workflow_runs w JOIN runs r ON r.id = w.run_id AND r.status = 'running'
             WHERE w.name = 'test.crowd' AND w.status <> 'ended')::int AS running,
             (SELECT count(*) FROM runs WHERE name = 'test.crowd' AND status = 'completed')::int AS done`,
        );
        const [row] = rows;
        underWay.push(row?.running ?? 0);
        return row?.done === runs;
      },
      { timeoutMs: 30_000 },
    );
    expect(Math.max(...underWay)).toBeLessThanOrEqual(ROOM);
    expect(most).toBe(ROOM);
  });
});

describe('skip', () => {
  it('ends one run more as completed, with the reason', async () => {
    const first = await hold('test.skip', 's1');
    const second = await bed.run('test.skip', { name: 's2' });
    expect(second).toMatchObject({
      result: { status: 'skipped', reason: '1 of at most 1 runs are under way', run_id: first },
    });
    expect(begun).not.toContain('s2');
    const parent = await bed.run('test.parent');
    expect(parent.result).toMatchObject({ child: { status: 'skipped', run_id: first } });
    gateOf('s1').resolve();
    await bed.reach(first, 'completed');
  });

  it('never skips what has begun', async () => {
    const first = await hold('test.skip', 'b1');
    await bed.engine.dispatcher.pause(first);
    const second = await hold('test.skip', 'b2');
    await bed.engine.dispatcher.resume(first);
    await inLine(first);
    gateOf('b1').resolve();
    gateOf('b2').resolve();
    await bed.reach(second, 'completed');
    expect((await bed.reach(first, 'completed')).result).toMatchObject({ held: { name: 'b1' } });
  });
});

describe('cancel_existing', () => {
  it('undoes the oldest, and begins when that is done; who waits is cancelled by the next', async () => {
    const first = await hold('test.newest', 'n1');
    const second = await bed.start('test.newest', { name: 'n2' });
    await bed.reach(first, 'cancelled');
    expect(undone).toEqual(['n1']);
    await waitFor(() => begun.includes('n2'));
    gateOf('n2').resolve();
    await bed.reach(second, 'completed');
    const many = Array.from({ length: 5 }, (_, index) =>
      workflowSpec('test.newest', { name: `m${index}` }, { lane: LANE }),
    );
    const ids = (await bed.engine.dispatcher.submitAll(many)).map((outcome) =>
      outcome.type === 'accepted' ? outcome.runId : '',
    );
    for (let index = 0; index < 5; index += 1) gateOf(`m${index}`).resolve();
    await waitFor(async () => {
      const runs = await Promise.all(ids.map((id) => bed.engine.dispatcher.get(id)));
      return runs.every((run) => run?.status === 'completed' || run?.status === 'cancelled');
    });
    const { rows } = await bed.admin.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM runs WHERE name = 'test.newest' AND status = 'completed'`,
    );
    expect(rows[0]?.n).toBeGreaterThanOrEqual(2);
  });

  it('leaves nothing behind', async () => {
    await noLeftovers(bed.admin);
  });
});
