/** Workflows that were published by name, and the workers that run them without having heard of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  archiveWorkflow,
  claimRuns,
  currentDefinitions,
  definitionsOf,
  gatedCandidates,
  getWorkflow,
  isPublishedWorkflow,
  listPublications,
  listWorkflows,
  listWorkflowVersions,
  overdueRuns,
  publishWorkflow,
  rollBackWorkflow,
  servingWorkers,
} from '@spine/database';
import type { Db, NameChange, PublishOutcome, Queryable, WorkflowName } from '@spine/database';
import { explainRun, HandlerRegistry, loadExplainFacts, workflowSpec } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import {
  defineWorkflow,
  DefinitionVersions,
  forkWorkflowRun,
  postWorkflow,
  publishCode,
  replayHistory,
  rollBackPosted,
  StepResult,
  workflowToJson,
} from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { rowOf } from './engine-support.ts';
import { planOf, sentBy, watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';
import { LANE, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

let bed: WorkflowBed;
beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: {
      say: ({ word }) => ({ word: word ?? null }),
      // Adds a step to its run, which calls what the params say.
      adds: ({ handler }) =>
        StepResult.ok(
          {},
          {
            modifications: [
              {
                type: 'insert_step_after',
                after: 'grow',
                step: { kind: 'lambda', name: 'added', handler: String(handler) },
              },
            ],
          },
        ),
    },
    workflows: [
      { name: 'test.coded', steps: [{ kind: 'lambda', name: 'one', handler: 'say' }] },
      {
        name: 'test.grows',
        steps: [
          { kind: 'lambda', name: 'grow', handler: 'adds', params: { handler: '{{ params.handler }}' } },
        ],
        outputs: { grow: '{{ steps.grow.status }}' },
      },
    ],
  });
  await bed.begin();
});
afterAll(() => bed.close());

/** A workflow that answers with a word: other words are other definitions. */
function says(name: string, word: string): WorkflowInput {
  return {
    name,
    steps: [{ kind: 'lambda', name: 'one', handler: 'say', params: { word } }],
    outputs: { word: '{{ steps.one.output.word }}' },
  };
}

function publish(workflow: WorkflowInput, change: Partial<NameChange> = {}): Promise<PublishOutcome> {
  const { hash, ...input } = defineWorkflow(workflow);
  return publishWorkflow(bed.engine.db, {
    name: input.name,
    hash,
    definition: workflowToJson(input),
    changelog: null,
    source: 'api',
    by: 'ada',
    revision: null,
    isInCode: false,
    ...change,
  });
}

async function published(workflow: WorkflowInput): Promise<WorkflowName> {
  const outcome = await publish(workflow);
  if (outcome.type !== 'published') throw new Error(`not published: ${outcome.type}`);
  return outcome.workflow;
}

const by = { by: 'ada', source: 'api', revision: null, isInCode: false } as const;

describe('what a name stands for', () => {
  it('is a new version for a changed definition, and none for the same', async () => {
    const first = await publish(says('test.versions', 'a'));
    expect(first).toMatchObject({ type: 'published', isNew: true, isNewVersion: true });
    const second = await publish(says('test.versions', 'b'));
    expect(second).toMatchObject({
      isNew: false,
      isNewVersion: true,
      workflow: { currentVersion: 2, revision: 2 },
    });
    const same = await publish(says('test.versions', 'b'));
    expect(same).toMatchObject({ type: 'unchanged', workflow: { currentVersion: 2, revision: 2 } });
    const older = await publish(says('test.versions', 'a'));
    expect(older).toMatchObject({ type: 'published', isNewVersion: false, workflow: { currentVersion: 1 } });
    const log = await listPublications(bed.engine.db, 'test.versions', {
      before: null,
      limit: 10,
      offset: 0,
    });
    expect(log.items.map(({ version, previousVersion }) => [version, previousVersion])).toEqual([
      [1, 2],
      [2, 1],
      [1, null],
    ]);
    const versions = await listWorkflowVersions(bed.engine.db, 'test.versions', {
      before: null,
      limit: 1,
      offset: 0,
    });
    expect(versions).toMatchObject({ items: [{ version: 2, createdBy: 'ada' }], total: 2, hasMore: true });
  });

  it('is numbered without gaps or twins by publishers that race, and each change is written down', async () => {
    const words = Array.from({ length: 12 }, (_, index) => `word ${index % 8}`);
    const outcomes = await Promise.all(words.map((word) => publish(says('test.race', word))));
    const { items } = await listWorkflowVersions(bed.engine.db, 'test.race', {
      before: null,
      limit: 50,
      offset: 0,
    });
    expect(items.map(({ version }) => version)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    const current = await getWorkflow(bed.engine.db, 'test.race');
    const log = await listPublications(bed.engine.db, 'test.race', { before: null, limit: 50, offset: 0 });
    expect(log.items[0]?.version).toBe(current?.currentVersion);
    expect(log.total).toBe(outcomes.filter(({ type }) => type === 'published').length);
    expect(current?.revision).toBe(log.total);
  });

  it('is changed by one of two who have read the same revision', async () => {
    const { revision } = await published(says('test.two', 'a'));
    const outcomes = await Promise.all(
      ['b', 'c'].map((word) => publish(says('test.two', word), { revision })),
    );
    expect(outcomes.map(({ type }) => type).sort()).toEqual(['published', 'stale']);
    expect(
      (await listWorkflowVersions(bed.engine.db, 'test.two', { before: null, limit: 5, offset: 0 })).total,
    ).toBe(2);
  });

  it('is an older version again after a rollback, with who and why', async () => {
    await published(says('test.back', 'a'));
    await published(says('test.back', 'b'));
    const name = 'test.back';
    const back = await rollBackWorkflow(bed.engine.db, { ...by, name, version: 1, reason: 'b is wrong' });
    expect(back).toMatchObject({ type: 'rolled_back', workflow: { currentVersion: 1, revision: 3 } });
    const again = await rollBackWorkflow(bed.engine.db, { ...by, name, version: 1, reason: 'once more' });
    expect(again.type).toBe('unchanged');
    const none = await rollBackWorkflow(bed.engine.db, { ...by, name, version: 9, reason: 'no' });
    expect(none.type).toBe('no_version');
    const { items } = await listPublications(bed.engine.db, name, { before: null, limit: 1, offset: 0 });
    expect(items).toMatchObject([
      { action: 'rolled_back', version: 1, previousVersion: 2, publishedBy: 'ada', reason: 'b is wrong' },
    ]);
  });

  it('belongs to the code where a release defines it', async () => {
    await published(says('test.taken', 'posted'));
    await publishCode(bed.engine.db, [defineWorkflow(says('test.taken', 'coded'))], silentLogger());
    const taken = await getWorkflow(bed.engine.db, 'test.taken');
    expect(taken).toMatchObject({ source: 'code', currentVersion: 2, updatedBy: 'code' });
    const services = bed.engine;
    const refused = await postWorkflow(services, says('test.coded', 'x'), { ...by, changelog: null });
    expect(refused.type).toBe('owned_by_code');
    expect(await getWorkflow(bed.engine.db, 'test.coded')).toBeNull();
  });

  it('is kept by the role of the services from being rewritten', async () => {
    await published(says('test.evidence', 'a'));
    for (const statement of [
      `UPDATE workflow_publications SET published_by = 'eve'`,
      'DELETE FROM workflow_publications',
      'DELETE FROM workflows',
      `UPDATE workflows SET created_by = 'eve'`,
    ]) {
      await expect(bed.engine.pool.query(statement), statement).rejects.toThrow(/permission denied/);
    }
  });
});

describe('a run of a published workflow', () => {
  it('is executed by a worker that has never heard of it', async () => {
    await published(says('test.posted', 'hello'));
    const run = await bed.run('test.posted');
    expect([run.result, run.metadata]).toEqual([{ word: 'hello' }, { workflow_version: 1 }]);
  });

  it('begins with the version that was current when it was submitted, or the one that was asked for', async () => {
    await published(says('test.pinned', 'first'));
    const early = await bed.start('test.pinned', {}, { lane: 'later' });
    await published(says('test.pinned', 'second'));
    const late = await bed.start('test.pinned', {}, { lane: 'later' });
    const asked = await bed.start('test.pinned', {}, { lane: 'later', metadata: { workflow_version: 1 } });
    await bed.startWorker('later', { pollMs: 25 });
    const results = await Promise.all([early, late, asked].map((runId) => bed.reach(runId, 'completed')));
    expect(results.map(({ result }) => result)).toEqual([
      { word: 'first' },
      { word: 'second' },
      { word: 'first' },
    ]);
    const { rows } = await bed.admin.query<{ version: number }>(
      'SELECT version FROM workflow_runs WHERE run_id = ANY ($1) ORDER BY run_id',
      [[early, late, asked]],
    );
    expect(rows.map(({ version }) => version)).toEqual([1, 2, 1]);
  });

  it('keeps the version of an older release that it was submitted under', async () => {
    const { db } = bed.engine;
    await publishCode(db, [defineWorkflow(says('test.coded', 'of the older release'))], silentLogger());
    const early = await bed.start('test.coded', {}, { lane: 'coded' });
    await publishCode(db, bed.workflows.definitions.values(), silentLogger());
    const late = await bed.start('test.coded', {}, { lane: 'coded' });
    await bed.startWorker('coded', { pollMs: 25 });
    expect((await bed.reach(early, 'completed')).result).toEqual({ word: 'of the older release' });
    expect((await bed.reach(late, 'completed')).result).toEqual({ one: { word: null } });
    // A restart of this release publishes nothing.
    await publishCode(db, bed.workflows.definitions.values(), silentLogger());
    const log = await listPublications(db, 'test.coded', { before: null, limit: 5, offset: 0 });
    expect(log.items.map(({ version, source }) => [version, source])).toEqual([
      [2, 'code'],
      [1, 'code'],
    ]);
  });

  it('is refused at submit for a pin that names no version, and ends for one that is not there', async () => {
    await published(says('test.wrong_pin', 'a'));
    for (const version of [0, 1.5, '1', null, 2 ** 31]) {
      const spec = workflowSpec(
        'test.wrong_pin',
        {},
        { lane: LANE, metadata: { workflow_version: version } },
      );
      const outcome = await bed.engine.dispatcher.submit(spec);
      expect(outcome, String(version)).toMatchObject({
        type: 'invalid',
        issues: [{ field: 'metadata.workflow_version', code: 'invalid_version' }],
      });
    }
    const runId = await bed.start('test.wrong_pin', {}, { metadata: { workflow_version: 7 } });
    const run = await bed.reach(runId, 'failed');
    expect(run.error).toMatchObject({ type: 'NotFoundError', retryable: false });
    expect(run.attempt).toBe(1);
  });

  it('does not begin while nobody knows a handler it names', async () => {
    const broken: WorkflowInput = {
      name: 'test.missing',
      steps: [{ kind: 'operation', name: 'one', handler: 'gone.away' }],
    };
    await expect(postWorkflow(bed.engine, broken, { ...by, changelog: null })).rejects.toMatchObject({
      issues: [{ field: 'steps[0].handler', code: 'missing_handler' }],
    });
    expect(await getWorkflow(bed.engine.db, 'test.missing')).toBeNull();
    // Known when it was published, gone since.
    await published(broken);
    const run = await bed.run('test.missing', {}, 'failed');
    expect(run.error).toMatchObject({ type: 'WorkflowHandlersMissingError', retryable: false });
    expect(run.error?.message).toContain('operation gone.away');
    expect(run.attempt).toBe(1);
    const { rows } = await bed.admin.query('SELECT 1 FROM workflow_runs WHERE run_id = $1', [run.runId]);
    expect(rows).toEqual([]);
    await expect(
      rollBackPosted(bed.engine, 'test.missing', { ...by, version: 1, reason: 'try' }),
    ).rejects.toMatchObject({ issues: [{ code: 'missing_handler' }] });
  });

  it('adds no step to its plan that nobody can execute', async () => {
    const grown = await bed.run('test.grows', { handler: 'say' });
    expect(grown.result).toEqual({ grow: 'completed' });
    const refused = await bed.run('test.grows', { handler: 'nobody.knows' }, 'failed');
    expect(refused.error).toMatchObject({
      type: 'ModificationError',
      retryable: false,
      message: expect.stringContaining(
        'step grow: insert_step_after: step added calls lambda nobody.knows, which no live worker knows',
      ) as string,
    });
    const { rows } = await bed.admin.query('SELECT unit FROM workflow_steps WHERE workflow_run_id = $1', [
      refused.runId,
    ]);
    expect(rows).toEqual([{ unit: 'grow' }]);
    // What was recorded is the refusal: a replay asks nobody.
    const services = { db: bed.engine.db, definitions: new DefinitionVersions() };
    expect(await replayHistory(services, refused.runId)).toMatchObject({
      type: 'replayed',
      replayed: { result: { status: 'failed', error: { type: 'ModificationError' } } },
    });
    // A worker with the handler has come just now.
    await bed.admin.query(`INSERT INTO workers (id, hostname, pid, version, lanes, handlers, slots)
      VALUES (gen_random_uuid(), 'new', 1, '0', '{new}', '{step:lambda.just.come}', 1)`);
    const waits = await bed.start('test.grows', { handler: 'just.come' });
    await waitFor(async () => {
      const found = await bed.admin.query('SELECT 1 FROM workflow_steps WHERE workflow_run_id = $1', [waits]);
      return found.rows.length === 2;
    });
    await bed.engine.dispatcher.cancel(waits);
  });

  it('begins where its handlers are known to another live worker', async () => {
    await published({
      name: 'test.elsewhere',
      steps: [{ kind: 'operation', name: 'one', handler: 'far.away' }],
    });
    await bed.admin.query(`INSERT INTO workers (id, hostname, pid, version, lanes, handlers, slots)
      VALUES (gen_random_uuid(), 'far', 1, '0', '{far}', '{step:far.away}', 1)`);
    const runId = await bed.start('test.elsewhere');
    await waitFor(async () => (await bed.events(runId)).includes('handed_over'));
    await bed.engine.dispatcher.cancel(runId);
  });

  it('of an archived name is refused, and one that was submitted before goes on', async () => {
    await published(says('test.archived', 'a'));
    const before = await bed.start('test.archived', {}, { lane: 'slow' });
    const archived = await archiveWorkflow(bed.engine.db, { ...by, name: 'test.archived', reason: 'old' });
    expect(archived).toMatchObject({ type: 'archived', workflow: { revision: 2 } });
    const spec = workflowSpec('test.archived', {}, { lane: LANE, deadLetter: false });
    expect((await bed.engine.dispatcher.submit(spec)).type).toBe('unknown_handler');
    const forced = await bed.engine.dispatcher.submit(spec, { allowUnknown: true });
    if (forced.type !== 'accepted') throw new Error(forced.type);
    const run = await bed.reach(forced.runId, 'failed');
    expect(run.error).toMatchObject({ type: 'WorkflowArchivedError', retryable: false });
    await bed.startWorker('slow', { pollMs: 25 });
    expect((await bed.reach(before, 'completed')).result).toEqual({ word: 'a' });
    // A fork goes on with what has begun, and workers take it.
    const services = { ...bed.engine, definitions: new DefinitionVersions() };
    const fork = await forkWorkflowRun(services, before, { fromStep: 'one', by: 'ada' });
    if (fork.type !== 'forked') throw new Error(fork.type);
    expect(fork.warnings).toEqual([]);
    expect((await bed.reach(fork.runId, 'completed')).result).toEqual({ word: 'a' });
    const restored = await publish(says('test.archived', 'a'));
    expect(restored).toMatchObject({
      type: 'published',
      isNewVersion: false,
      workflow: { archivedAt: null },
    });
  });

  it('of a name that nobody has published waits, and is taken once somebody has', async () => {
    const spec = workflowSpec('test.later', {}, { lane: LANE, deadLetter: false });
    expect((await bed.engine.dispatcher.submit(spec)).type).toBe('unknown_handler');
    const outcome = await bed.engine.dispatcher.submit(spec, { allowUnknown: true });
    if (outcome.type !== 'accepted') throw new Error(outcome.type);
    const { runId } = outcome;
    const reasons = async (): Promise<string[]> => {
      const facts = await loadExplainFacts(bed.engine.db, bed.engine.registry, runId);
      return facts === null ? [] : explainRun(facts).reasons.map(({ code }) => code);
    };
    expect(await reasons()).toContain('no_worker_for_handler');
    expect(await rowOf(bed.admin, runId)).toMatchObject({ status: 'queued', epoch: 0 });
    await published(says('test.later', 'now'));
    expect(await reasons()).not.toContain('no_worker_for_handler');
    await bed.admin.query('UPDATE runs SET dispatch_after = now() WHERE id = $1', [runId]);
    expect((await bed.reach(runId, 'completed')).result).toEqual({ word: 'now' });
  });
});

describe('with many workflows', () => {
  const MANY = 3_000;
  let watched: WatchedDb;
  beforeAll(async () => {
    await bed.admin.query(`WITH d AS (
      INSERT INTO workflow_definitions (name, version, hash, definition, created_by)
      SELECT 'many.w' || n, 1, md5(n::text) || md5(n::text), '{}', 'test' FROM generate_series(1, ${MANY}) n
      RETURNING name
    ) SELECT count(*) FROM d`);
    await bed.admin.query(`INSERT INTO workflows (name, current_version, source, created_by, updated_by)
      SELECT 'many.w' || n, 1, 'api', 'test', 'test' FROM generate_series(1, ${MANY}) n`);
    await bed.admin.query(`INSERT INTO workflow_publications (name, action, version, source, published_by)
      SELECT 'many.w' || n, 'published', 1, 'api', 'test' FROM generate_series(1, ${MANY}) n`);
    await bed.admin.query('ANALYZE workflows, workflow_definitions, workflow_publications');
    watched = watchedDb(bed.databaseUrl);
  });
  afterAll(() => watched.close());

  const options = { workerId: newId(), leaseMs: 30_000, handlers: ['task:echo', 'workflow:*'] };
  it.each([
    ['a claim', (db: Queryable) => claimRuns(db, [newId()], options)],
    ['the poll', (db: Queryable) => overdueRuns(db, ['default'], options.handlers, 100)],
    ['a claim with gates', (db: Queryable) => gatedCandidates(db, [newId()], options.handlers, [])],
    [
      'an explanation',
      (db: Queryable) => servingWorkers(db, { lane: 'default', kind: 'workflow', name: 'many.w1' }),
    ],
    ['a look whether a name is published', (db: Queryable) => isPublishedWorkflow(db, 'many.w1')],
  ])('%s looks the name up by its key', async (_what, send) => {
    for (const statement of await sentBy(send)) {
      for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
        const plan = await planOf(bed.admin, mode, statement);
        expect(plan.seqScans).not.toContain('workflows');
        expect(plan.indexes).toContain('workflows_pkey');
      }
    }
  });

  it.each([
    ['a list', ['workflows_pkey'], (db: Db) => listWorkflows(db, { after: '', limit: 50, archived: false })],
    [
      'versions',
      ['workflow_definitions_pkey'],
      (db: Db) => listWorkflowVersions(db, 'many.w1', { before: null, limit: 50, offset: 0 }),
    ],
    [
      'publications',
      ['workflow_publications_of'],
      (db: Db) => listPublications(db, 'many.w1', { before: null, limit: 50, offset: 0 }),
    ],
    ['children', ['workflows_pkey'], (db: Db) => currentDefinitions(db, ['many.w1', 'many.w2'])],
    ['definitions', [], (db: Db) => definitionsOf(db, [{ name: 'many.w1', version: 1 }])],
  ])('%s reads by an index', async (_what, indexes, ask) => {
    const plan = await watched.planOf(ask);
    expect(plan.seqScans).toEqual([]);
    expect(plan.indexes).toEqual(expect.arrayContaining(indexes));
  });
});

describe('a registry', () => {
  it('serves a kind whole once, and not beside gates that a claim would pass by', () => {
    const [whole, gated] = [new HandlerRegistry(), new HandlerRegistry()];
    bed.workflows.registerHandlers(whole);
    expect(whole.keys()).toContain('workflow:*');
    expect(whole.ungatedKeys()).toContain('workflow:*');
    expect(whole.gatedKeys()).toEqual([]);
    expect(whole.get('workflow', 'test.any')).toBeUndefined();
    expect(whole.find('workflow', 'test.any')?.key).toBe('workflow:*');
    expect(whole.find('workflow', 'test.coded')?.key).toBe('workflow:test.coded');
    expect(whole.find('task', 'test.any')).toBeUndefined();
    const params = whole.find('workflow', 'test.any')?.paramsSchema;
    if (params === undefined) throw new Error('no schema');
    const options = { params, description: 'd', concurrency: [{ key: 'k', limit: 1 }] };
    expect(() => whole.register('workflow', 'test.gated', options, () => 1)).toThrow(/has gates/);
    gated.register('workflow', 'test.gated', options, () => 1);
    const kind = { params, description: 'd', isKnown: () => Promise.resolve(true) };
    expect(() => gated.registerKind('workflow', kind, () => 1)).toThrow(/has gates/);
    expect(() => whole.registerKind('workflow', kind, () => 1)).toThrow(/twice/);
  });
});
