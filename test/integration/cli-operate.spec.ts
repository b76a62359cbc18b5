/** `spine` against a real API: what somebody does who looks after workflows, triggers, gates and the ledger. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acquireLock } from '@spine/database';
import { waitFor } from '@spine/testing';
import { openCliBed } from './cli-bed.ts';
import type { CliBed } from './cli-bed.ts';
import { startSpine } from './cli-support.ts';

const NO_RUN = '01912345-6789-7abc-8def-0123456789ab';

/** Waits for a word, and then for somebody. */
const ASKS = {
  name: 'cli.asks',
  steps: [
    { kind: 'wait', name: 'word', wait: { signal: 'go' } },
    { kind: 'lambda', name: 'echo', handler: 'echo', params: { word: '{{ steps.word.output.word }}' } },
    { kind: 'approval', name: 'ask', approvers: ['ada'], message: 'Send it?' },
    { kind: 'lambda', name: 'last', handler: 'echo', params: { by: '{{ steps.ask.output.by }}' } },
  ],
  outputs: { last: '{{ steps.last.output }}' },
};

let bed: CliBed;
beforeAll(async () => {
  bed = await openCliBed();
  await said('workflow', 'apply', file('asks.json', ASKS));
});
afterAll(() => bed.close());

const spine: CliBed['spine'] = (...call) => bed.spine(...call);
const said: CliBed['said'] = (...call) => bed.said(...call);
const file: CliBed['file'] = (...call) => bed.file(...call);
const asJson = (...args: readonly string[]) => bed.asJson(args);

async function started(): Promise<string> {
  const runId = (await said('workflow', 'run', 'cli.asks')).trim();
  await waitFor(async () => /^word +wait +waiting/m.test((await spine(['workflow', 'state', runId])).out));
  return runId;
}

async function asks(runId: string): Promise<void> {
  await waitFor(async () => (await said('approval', 'list', runId)).includes('Send it?'));
}

describe('workflow runs', () => {
  it('are told, asked, approved, looked into and forked', async () => {
    const runId = await started();
    expect((await spine(['approval', 'show', runId, 'ask'])).problem).toContain('waits for no approval');
    expect(await said('workflow', 'signal', runId, 'go', 'word=now')).toBe(`run ${runId} is told go\n`);
    await asks(runId);
    // One that is not begun asks nothing, and takes nothing from the others.
    const later = (await said('run', 'submit', 'workflow:cli.asks', '--after', '1h')).trim();
    await said('run', 'pause', later);
    expect(await said('approval', 'list', '--workflow', 'cli.asks')).toMatch(
      new RegExp(`^${runId} +ask +cli.asks +ada `, 'm'),
    );
    expect(await said('approval', 'show', runId, 'ask')).toMatch(/^message +Send it\?$/m);
    const elsewhere = await spine(['approval', 'show', runId, 'last']);
    expect([elsewhere.code, elsewhere.problem]).toEqual([2, expect.stringContaining('these steps do: ask')]);
    // Whose name the key does not have, and who is no approver.
    expect((await spine(['approval', 'approve', runId, 'ask', '--by', 'bob'])).code).toBe(5);
    expect(await said('approval', 'approve', runId, 'ask', '--by', 'ada', '--note', 'checked')).toContain(
      'is told that ask is approved',
    );
    expect((await spine(['run', 'wait', runId])).code).toBe(0);
    expect(await asJson('approval', 'list')).toEqual([]);

    expect(await said('workflow', 'steps', runId)).toMatch(/^echo +1 +step:\S+ +completed/m);
    expect(await said('workflow', 'events', runId)).toMatch(/approval_decided +ask .*checked/);
    expect(await said('workflow', 'query', runId, 'outputs', '--step', 'echo')).toContain('now');
    expect(await said('workflow', 'runs', 'cli.asks')).toContain(runId);
    expect(await said('workflow', 'picture', runId, '--format', 'mermaid')).toContain('ask');
    expect(await asJson('workflow', 'recording', runId)).toMatchObject({ workflow: 'cli.asks' });
    expect(await said('workflow', 'figures', 'cli.asks')).toMatch(/^completed +1$/m);
    expect(await said('workflow', 'stats')).toMatch(/^cli.asks +2 +1 +0 +100.0 %/m);

    const forked = await asJson('workflow', 'fork', runId, '--from', 'last', '--reason', 'once more');
    expect(forked).toMatchObject({ forked_from: runId, taken_over: ['word', 'echo', 'ask'] });
    expect((await spine(['run', 'wait', String(forked['run_id'])])).code).toBe(0);
    const replayed = await asJson('workflow', 'replay', runId, 'last');
    expect(replayed).toMatchObject({ mode: 'forked', from_step: 'last' });
    expect((await spine(['run', 'wait', String(replayed['run_id'])])).code).toBe(0);
  });

  it('are changed under way, and fail where somebody says no', async () => {
    const runId = await started();
    const skip = ['workflow', 'modify', runId, '--skip', 'last'];
    expect(await said(...skip, '--dry-run')).toBe(`run ${runId} could be changed so\n`);
    expect(await said('workflow', 'events', runId)).not.toContain('modified');
    expect(await said(...skip, '--reason', 'not this time')).toContain('is told of the change');
    await waitFor(async () => (await said('workflow', 'events', runId)).includes('modified'));
    await said('workflow', 'signal', runId, 'go', '{"word": "later"}');
    await asks(runId);
    expect(await said('approval', 'reject', runId, 'ask', '--by', 'ada')).toContain('is rejected');
    expect((await spine(['run', 'wait', runId])).code).toBe(1);
    expect((await spine(['workflow', 'signal', runId, 'go'])).code).toBe(4);
    expect((await spine(['workflow', 'fork', NO_RUN, '--from', 'last'])).code).toBe(3);
  });
});

describe('triggers and schedules', () => {
  const arrivals = (more: object = {}) => ({
    name: 'cli-arrivals',
    source: { type: 'run_event', types: ['run.failed'] },
    target_type: 'task',
    target_name: 'echo',
    ...more,
  });

  it('triggers are made from a file, changed, paused, resumed and deleted', async () => {
    const made = await asJson('trigger', 'create', file('arrivals.json', arrivals()));
    const id = String(made['trigger_id']);
    expect(await said('trigger', 'list', '--source', 'run_event')).toMatch(
      /cli-arrivals +active +run_event .* task:echo/,
    );
    const changed = ['trigger', 'update', id, file('changed.json', arrivals({ description: 'changed' }))];
    expect((await spine([...changed, '--if-version', '99'])).code).toBe(4);
    expect(await said(...changed, '--if-version', '1')).toContain('version 2');
    expect(await said('trigger', 'disable', id)).toContain('is paused');
    expect(await said('trigger', 'list', '--state', 'paused')).toContain(id);
    expect(await said('trigger', 'resume', id)).toContain('is active');
    expect(await said('trigger', 'deliveries', id)).toBe('nothing has come\n');
    const wrong = await spine(['trigger', 'create', file('wrong.json', arrivals({ target_name: 7 }))]);
    expect([wrong.code, wrong.problem]).toEqual([2, expect.stringContaining('target_name')]);
    expect((await spine(['trigger', 'create', file('none.json', {})])).problem).toContain(
      'none.json must be a trigger with name, source, target_type, target_name',
    );
    expect((await spine(['trigger', 'delete', id])).problem).toContain('Delete trigger');
    expect(await said('trigger', 'delete', id, '--yes')).toBe('trigger cli-arrivals is deleted\n');
  });

  it('schedules are changed from a file, and started for times that have passed', async () => {
    const made = await asJson('schedule', 'create', 'cli-past', 'task:echo', '--every', '1h', '--paused');
    const id = String(made['schedule_id']);
    const body = {
      name: 'cli-past',
      target_type: 'task',
      target_name: 'echo',
      schedule_type: 'cron',
      cron_expression: '0 6 * * *',
    };
    expect(await said('schedule', 'update', id, file('past.json', body))).toContain(id);
    const past = ['schedule', 'backfill', id, '--from', '2026-01-01', '--to', '2026-01-03'];
    expect(await said(...past, '--dry-run')).toContain('2 runs would be started');
    expect((await spine(past)).problem).toContain('Start 2 runs?');
    const asking = startSpine(past, { url: bed.api.url, env: bed.env, terminal: true });
    await asking.says('Start 2 runs?');
    asking.type('y');
    expect((await asking.ended).out).toContain('of 2 times are started');
    // Nobody is at work as a scheduler here.
    const health = await spine(['schedule', 'health']);
    expect([health.code, health.out]).toEqual([1, expect.stringMatching(/^status +leaderless$/m)]);
  });
});

describe('gates and locks', () => {
  it('breakers are opened, closed and reset', async () => {
    const opened = await said('breaker', 'open', 'edgar', '--for', '2h', '--note', 'maintenance');
    expect(opened).toMatch(/^breaker edgar is open until \S+ \S+; 0 runs wait\n$/);
    expect(await said('breaker', 'list')).toMatch(/^edgar +open +.* maintenance$/m);
    expect(await said('breaker', 'close', 'edgar')).toBe('breaker edgar is closed, by hand; 0 runs wait\n');
    expect(await said('breaker', 'reset', 'edgar')).toBe('breaker edgar is closed; 0 runs wait\n');
    expect(await said('breaker', 'show', 'edgar')).toMatch(/^forced +false$/m);
    expect((await spine(['breaker', 'show', 'nobody'])).code).toBe(3);
  });

  it('limits are listed, locks taken away', async () => {
    const spec = { kind: 'task', name: 'echo', concurrency: [{ key: 'tenant:7', limit: 1 }] };
    const run = await asJson('run', 'submit', '--file', file('limited.json', spec), '--wait');
    expect(run).toMatchObject({ status: 'completed' });
    expect(await said('limit', 'list', '--type', 'concurrency')).toMatch(/^concurrency +tenant:7 /m);
    await acquireLock(bed.api.engine.pool, { key: 'cli:lock', owner: 'somebody', ttlMs: 600_000 });
    expect(await said('lock', 'list', '--prefix', 'cli:')).toMatch(/^cli:lock +somebody +\d+ +active/m);
    expect((await spine(['lock', 'release', 'cli:lock'])).problem).toContain('Take lock cli:lock');
    expect(await said('lock', 'release', 'cli:lock', '--yes')).toBe('lock cli:lock is taken from somebody\n');
    expect((await spine(['lock', 'release', 'cli:lock', '--yes'])).code).toBe(3);
  });
});

describe('the ledger', () => {
  it('is told what should exist, and no more', async () => {
    const weekly = {
      cadence: 'weekly',
      partition_template: { week_ending: '{week_ending}' },
      required_stages: ['INGESTED'],
      expected_delay_hours: 24,
      active: false,
    };
    const set = ['expected', 'set', 'demo', 'weekly', file('weekly.json', weekly)];
    expect(await said(...set)).toBe('weekly of demo is expected weekly\n');
    expect(await said('expected', 'list', '--inactive')).toMatch(
      /^demo +weekly +weekly +week_ending=.* 24 h/m,
    );
    expect(await asJson('expected', 'list', '--active')).toEqual([]);
    expect(await said('expected', 'show', 'demo', 'weekly')).toMatch(/^cadence +weekly$/m);
    expect(await said('expected', 'delete', 'demo', 'weekly', '--yes')).toContain('is expected no more');
    expect((await spine(['expected', 'show', 'demo', 'weekly'])).code).toBe(3);
  });

  it('knows assets that are defined', async () => {
    const asset = file('asset.json', { domain: 'demo', max_lag_seconds: 3_600 });
    expect(await said('assets', 'define', 'demo/table', asset)).toBe('asset demo/table is defined\n');
    expect(await said('assets', 'observations', 'demo/table')).toBe('never seen\n');
  });
});

describe('many, and what is left', () => {
  it('runs are submitted by the line; what is refused is said, with exit code 1', async () => {
    file('runs.jsonl', '{"kind":"task","name":"echo"}\n\n{"kind":"task","name":"nobody"}\n');
    const done = await spine(['run', 'batch', 'runs.jsonl']);
    expect(done.code).toBe(1);
    expect(done.out).toMatch(/^1 accepted, 0 known before, 1 refused\n {2}2: /);
    expect((await spine(['run', 'batch', '-'], { stdin: '{"kind":"task"}\n' })).problem).toContain(
      '- line 1 must be a run with kind and name',
    );
  });

  it('a key is given an end', async () => {
    const made = await asJson('keys', 'create', 'short');
    const id = String(made['key_id']);
    expect(await said('keys', 'expire', id, '--at', '30d')).toMatch(/is good until \d{4}-/);
    expect(await said('keys', 'show', id)).toMatch(/^name +short$/m);
    expect((await spine(['keys', 'expire', id])).problem).toContain('give one of --at and --never');
  });

  it('the database is read, and its rows go only when somebody says so', async () => {
    expect(await said('database', 'query', 'SELECT 1 AS one')).toBe('one\n1\n');
    expect(await said('database', 'tables', '--all')).toMatch(/^runs /m);
    const purge = ['database', 'purge', 'quality_results', '--older-than', '4000'];
    expect(await said(...purge, '--dry-run')).toContain('0 rows of quality_results would be deleted');
    expect(await said(...purge, '--yes')).toContain('0 rows of quality_results are deleted');
    expect(await said('dlq', 'purge', '--older-than', '90', '--dry-run')).toContain(
      '0 dead letters would be',
    );
  });

  it.each([
    ['work-item', 'list'],
    ['example', 'list'],
    ['function', 'stats'],
    ['data', 'weeks', '--tier', 'OTC'],
    ['deploy', 'services'],
    ['deploy', 'backends'],
    ['database', 'indexes', '--unused', '--limit', '1000'],
    ['database', 'retention'],
    ['event', 'status'],
  ])('answers: spine %s %s', async (...args) => {
    expect(await asJson(...args)).toBeDefined();
    expect(await said(...args)).not.toBe('');
  });
});
