/** Workflows that begin and are advanced in the transaction that takes their runs from their attempts. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { beginWorkflows, cancelRun, claimRuns, giveUpWorkflows, VERSION_METADATA } from '@spine/database';
import type { BeginningRun } from '@spine/database';
import { advanceRuns, beginRuns, DefinitionVersions, signalWorkflow } from '@spine/orchestration';
import type { AdvanceServices, WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { LANE, noLeftovers, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const two = (name: string): WorkflowInput => ({
  name,
  policy: { mode: 'parallel' },
  steps: [
    { kind: 'lambda', name: 'a', handler: 'nothing' },
    { kind: 'lambda', name: 'b', handler: 'nothing' },
  ],
});

let bed: WorkflowBed;
let services: AdvanceServices;

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: { nothing: () => ({}) },
    workflows: [
      two('test.good'),
      two('test.other'),
      { name: 'test.waits', steps: [{ kind: 'wait', name: 'word', wait: { signal: 'go' } }] },
      { name: 'test.skips', steps: [{ kind: 'lambda', name: 'a', handler: 'nothing', when: 'false' }] },
    ],
  });
  // Publishes what the code has.
  const { worker, driver } = await bed.begin();
  for (const name of ['test.good', 'test.other', 'test.skips']) await bed.run(name);
  await worker.stop(0);
  await driver.stop();
});
beforeEach(() => {
  services = { ...bed.engine, definitions: new DefinitionVersions() };
});
afterAll(() => bed.close());

/** Runs that attempts hold and are about to hand over. */
async function beginning(...names: readonly string[]): Promise<BeginningRun[]> {
  const runs: BeginningRun[] = [];
  for (const name of names) {
    const runId = await bed.submit({ kind: 'workflow', name, lane: `${LANE}-kept` });
    const options = { workerId: newId(), leaseMs: 30_000, handlers: [`workflow:${name}`] };
    const [run] = await claimRuns(bed.engine.pool, [runId], options);
    if (run === undefined) throw new Error('nothing was claimed');
    const started = { type: 'started', runId, params: {}, environment: 'own' };
    runs.push({ runId, epoch: run.epoch, name, version: 1, started });
  }
  return runs;
}

const idsOf = (runs: readonly BeginningRun[]): string[] => runs.map(({ runId }) => runId);

async function column<T>(sql: string, runs: readonly BeginningRun[]): Promise<T[]> {
  const { rows } = await bed.admin.query<{ v: T }>(sql, [idsOf(runs)]);
  return rows.map(({ v }) => v);
}

/** Of each run how many steps it has started. */
const steps = (...runs: readonly BeginningRun[]): Promise<number[]> =>
  column(
    `SELECT (SELECT count(*) FROM runs WHERE parent_run_id = t.id) AS v
     FROM unnest($1::uuid[]) WITH ORDINALITY AS t(id, no) ORDER BY no`,
    runs,
  );

const toBeTold = (...runs: readonly BeginningRun[]): Promise<string[]> =>
  column(
    `SELECT COALESCE(event->>'type', 'ended') AS v FROM workflow_inbox WHERE workflow_run_id = ANY ($1) ORDER BY event_seq`,
    runs,
  );

/** Does something that has to wait for their begin, and answers when both are done. */
async function whileItBegins(runs: readonly BeginningRun[], act: () => Promise<unknown>): Promise<void> {
  const holding = await bed.admin.connect();
  const waiting = async (): Promise<number> => {
    const { rows } = await bed.admin.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length;
  };
  try {
    await holding.query('BEGIN');
    // What begins refers to its version last.
    await holding.query(`SELECT 1 FROM workflow_definitions WHERE name = 'test.good' FOR UPDATE`);
    const begun = beginRuns(services, runs, 'test');
    await waitFor(async () => (await waiting()) === 1);
    const done = act();
    await waitFor(async () => (await waiting()) === 2);
    await holding.query('COMMIT');
    expect((await begun).outcomes).toEqual(['handed_over']);
    await done;
  } finally {
    holding.release();
  }
}

describe('workflows that begin together', () => {
  it('are advanced by the commit that hands their runs over, and are told nothing by their inbox', async () => {
    const runs = await beginning('test.good', 'test.other');
    await bed.admin.query(
      `INSERT INTO workflow_starts (run_id, inherited) VALUES ($1, '{"environment": "inherited"}')`,
      [runs[0]?.runId],
    );
    const told = 'SELECT last_value AS v FROM workflow_inbox_event_seq_seq WHERE $1::uuid[] IS NOT NULL';
    const before = await column(told, runs);
    const { outcomes, results } = await beginRuns(services, runs, 'test');
    expect(outcomes).toEqual(['handed_over', 'handed_over']);
    expect(idsOf(runs).map((runId) => results.get(runId))).toMatchObject([
      { type: 'advanced', ended: false },
      { type: 'advanced', ended: false },
    ]);
    expect(await column(told, runs)).toEqual(before);
    expect(await steps(...runs)).toEqual([2, 2]);
    const commits = await column(
      `SELECT DISTINCT v FROM (
         SELECT xmin::text AS v FROM runs WHERE id = ANY ($1) OR parent_run_id = ANY ($1)
         UNION ALL SELECT xmin::text FROM workflow_runs WHERE run_id = ANY ($1)
         UNION ALL SELECT xmin::text FROM workflow_history WHERE run_id = ANY ($1)
         UNION ALL SELECT xmin::text FROM workflow_state WHERE run_id = ANY ($1)) t`,
      runs,
    );
    expect(commits).toHaveLength(1);
    const { rows } = await bed.admin.query(
      `SELECT w.epoch - r.epoch AS ahead, w.seq, h.event_no, h.event->>'environment' AS environment, h.timestamp = date_trunc('milliseconds', w.created_at) AS same
       FROM workflow_runs w JOIN runs r ON r.id = w.run_id JOIN workflow_history h ON h.run_id = w.run_id
       WHERE w.run_id = ANY ($1) ORDER BY w.run_id`,
      [idsOf(runs)],
    );
    const begun = { ahead: 0, seq: 1, event_no: 1, same: true };
    expect(rows).toEqual([
      { ...begun, environment: 'inherited' },
      { ...begun, environment: 'own' },
    ]);
  });

  it('are only those that their attempts hold, and that were not handed over before', async () => {
    const [mine, lost, before] = await beginning('test.good', 'test.good', 'test.good');
    if (mine === undefined || lost === undefined || before === undefined) throw new Error('too few');
    await cancelRun(bed.engine.db, lost.runId, null, 'test');
    await beginWorkflows(bed.engine.pool, [before], 'test');
    // As after a pause: another attempt has claimed it.
    const again = { ...before, epoch: before.epoch + 1 };
    const { outcomes, results } = await beginRuns(services, [mine, lost, again], 'test');
    expect(outcomes).toEqual(['handed_over', 'fenced', 'known']);
    expect([...results.keys()]).toEqual([mine.runId]);
    expect(await steps(mine, lost, before)).toEqual([2, 0, 0]);
    const epochs = await column('SELECT epoch AS v FROM runs WHERE id = ANY ($1) ORDER BY id', [before]);
    expect(epochs).toEqual([again.epoch]);
    // The answer to the first commit was lost.
    expect((await beginRuns(services, [mine], 'test')).outcomes).toEqual(['fenced']);
    expect(await steps(mine)).toEqual([2]);
  });

  it('go on without one that cannot be planned: that one is told later', async () => {
    const [good, bad] = await beginning('test.good', 'test.other');
    if (good === undefined || bad === undefined) throw new Error('too few');
    const { rows } = await bed.admin.query<{ definition: unknown }>(
      `SELECT definition FROM workflow_definitions WHERE name = 'test.other'`,
    );
    const define = async (definition: unknown): Promise<unknown> =>
      bed.admin.query(`UPDATE workflow_definitions SET definition = $1 WHERE name = 'test.other'`, [
        definition,
      ]);
    await define({});
    const { outcomes, results } = await beginRuns(services, [bad, good], 'test');
    await define(rows[0]?.definition);
    expect(outcomes).toEqual(['handed_over', 'handed_over']);
    expect([...results.keys()]).toEqual([good.runId]);
    expect(await steps(good, bad)).toEqual([2, 0]);
    expect(await toBeTold(good, bad)).toEqual(['started']);
    await advanceRuns(services, [bad.runId]);
    expect(await steps(bad)).toEqual([2]);
  });

  it('may end at once', async () => {
    const runs = await beginning('test.skips');
    const { results } = await beginRuns(services, runs, 'test');
    expect([...results.values()]).toMatchObject([{ type: 'advanced', ended: true }]);
    expect(await column('SELECT status AS v FROM runs WHERE id = ANY ($1)', runs)).toEqual(['completed']);
    expect(await column('SELECT status AS v FROM workflow_runs WHERE run_id = ANY ($1)', runs)).toEqual([
      'ended',
    ]);
  });

  it('are waited for by a cancel, which then finds what they have started', async () => {
    const runs = await beginning('test.good');
    const [run] = runs;
    if (run === undefined) throw new Error('too few');
    await whileItBegins(runs, () => cancelRun(bed.engine.db, run.runId, null, 'test'));
    expect(await column('SELECT status AS v FROM runs WHERE parent_run_id = ANY ($1)', runs)).toEqual([
      'cancelled',
      'cancelled',
    ]);
    expect(await toBeTold(run)).toContain('ended');
    expect((await advanceRuns(services, [run.runId])).get(run.runId)).toMatchObject({ type: 'closed' });
  });
});

describe('a sub-workflow that is given up while it begins', () => {
  it('is told, and undoes what it has started by then', async () => {
    const runs = await beginning('test.good');
    const [run] = runs;
    if (run === undefined) throw new Error('too few');
    const givenUp = { event: { type: 'cancel', by: 'test', givenUp: true }, reason: 'test', source: 'test' };
    await whileItBegins(runs, () =>
      bed.engine.db.transaction().execute((trx) => giveUpWorkflows(trx, [run.runId], givenUp)),
    );
    expect(await toBeTold(run)).toEqual(['cancel']);
    expect(await column('SELECT status AS v FROM runs WHERE id = ANY ($1)', runs)).toEqual(['running']);
  });
});

describe('a driver that begins workflows', () => {
  it('hands over all of them where one cannot be written, and each is advanced by itself', async () => {
    const runs = await beginning('test.good', 'test.good', 'test.good');
    const bad = runs[1]?.runId ?? '';
    await bed.admin.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.run_id = '${bad}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON workflow_history FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const handedOver = ['handed_over', 'handed_over', 'handed_over'];
    expect(await bed.newDriver().begin(runs, 'test')).toEqual(handedOver);
    expect(await steps(...runs)).toEqual([0, 0, 0]);
    await advanceRuns(services, idsOf(runs));
    expect(await steps(...runs)).toEqual([2, 0, 2]);
    await bed.admin.query('DROP TRIGGER refuse ON workflow_history; DROP FUNCTION refuse()');
    await advanceRuns(services, idsOf(runs));
    expect(await steps(...runs)).toEqual([2, 2, 2]);
  });

  it('advances nothing any more once it is stopped', async () => {
    const runs = await beginning('test.good');
    const driver = bed.newDriver();
    await driver.stop();
    expect(await driver.begin(runs, 'test')).toEqual(['handed_over']);
    expect(await steps(...runs)).toEqual([0]);
    expect(await toBeTold(...runs)).toEqual(['started']);
  });

  const pinned = { metadata: { [VERSION_METADATA]: 1 } };

  it('is asked by the worker beside it', async () => {
    const { worker, driver } = await bed.begin();
    // Its version is read once.
    await bed.reach(await bed.start('test.skips', {}, pinned), 'completed');
    const told = async (): Promise<unknown> =>
      (await bed.admin.query<{ last_value: number }>('SELECT last_value FROM workflow_inbox_event_seq_seq'))
        .rows;
    const before = await told();
    await bed.reach(await bed.start('test.skips', {}, pinned), 'completed');
    expect(await told()).toEqual(before);
    await worker.stop(0);
    await driver.stop();
    await noLeftovers(bed.admin);
  });

  it('leaves one that was paused to its worker, and it goes on where it was', async () => {
    const { worker, driver } = await bed.begin();
    const handOvers = async (runId: string): Promise<number> =>
      (await bed.events(runId)).filter((type) => type === 'handed_over').length;
    // The first one publishes what the code has.
    const first = await bed.start('test.waits');
    await waitFor(async () => (await handOvers(first)) === 1);
    const runId = await bed.start('test.waits', {}, pinned);
    await waitFor(async () => (await handOvers(runId)) === 1);
    expect(await bed.engine.dispatcher.pause(runId, 'lunch')).toEqual({ type: 'paused', from: 'running' });
    await bed.engine.dispatcher.resume(runId);
    await waitFor(async () => (await handOvers(runId)) === 2);
    expect(await signalWorkflow(bed.engine.db, runId, 'go', {})).toBe(true);
    await bed.reach(runId, 'completed');
    const { rows } = await bed.admin.query<{ type: string }>(
      `SELECT event->>'type' AS type FROM workflow_history WHERE run_id = $1 ORDER BY event_no`,
      [runId],
    );
    expect(rows.map(({ type }) => type)).toEqual(['started', 'signal']);
    await worker.stop(0);
    await driver.stop();
  });
});
