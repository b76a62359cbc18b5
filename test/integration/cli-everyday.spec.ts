/** `spine` against a real API: dead letters, workflows, schedules, lanes, keys, and every list. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listIn } from './api-support.ts';
import { openCliBed } from './cli-bed.ts';
import type { CliBed } from './cli-bed.ts';

let bed: CliBed;
let folder: string;
beforeAll(async () => {
  bed = await openCliBed();
  ({ folder } = bed);
});
afterAll(() => bed.close());

const spine: CliBed['spine'] = (...call) => bed.spine(...call);
const asJson: CliBed['asJson'] = (...call) => bed.asJson(...call);

describe('dead letters', () => {
  it('are listed, counted, replayed after a dry run, and resolved', async () => {
    for (const n of [1, 2])
      await spine(['run', 'submit', 'task:fail', `message=of the cli ${n}`, 'category=SOURCE', '--wait']);
    const listed = await asJson(['dlq', 'list', '--category', 'SOURCE']);
    expect(listed).toMatchObject([
      { error: { message: 'of the cli 2' } },
      { error: { message: 'of the cli 1' } },
    ]);
    const id = String(listIn(listed)[1]?.['dead_letter_id']);
    expect((await spine(['dlq', 'show', id])).out).toMatch(/^error_category +SOURCE$/m);
    expect((await spine(['dlq', 'replay', '--category', 'SOURCE', '--dry-run'])).out).toBe(
      '2 dead letters would be replayed\n',
    );
    expect((await spine(['dlq', 'resolve', id, '--note', 'seen'])).out).toBe(`${id} is resolved\n`);
    expect((await spine(['dlq', 'replay', '--category', 'SOURCE', '--yes'])).out).toBe(
      '1 of 1 dead letters replayed\n',
    );
    expect((await spine(['dlq', 'stats'])).out).toMatch(/task:fail +SOURCE/);
  });
});

describe('workflows', () => {
  const yaml = (word: string) => `apiVersion: spine.io/v1
kind: Workflow
metadata: { name: cli.hello, domain: demo }
spec:
  steps:
    - { name: one, kind: lambda, handler: echo, params: { word: ${word} } }
  outputs: { word: '{{ steps.one.output.word }}' }
`;

  it('are published from a file, run, compared and rolled back', async () => {
    writeFileSync(join(folder, 'hello.yaml'), yaml('hello'));
    writeFileSync(join(folder, 'bye.yaml'), yaml('bye'));
    expect((await spine(['workflow', 'lint', 'hello.yaml', '--remote'])).code).toBe(0);
    expect((await spine(['workflow', 'apply', 'hello.yaml'])).out).toBe('cli.hello is at version 1\n');
    expect(
      (await spine(['workflow', 'apply', '-', '--changelog', 'bye'], { stdin: yaml('bye') })).out,
    ).toContain('version 2');
    expect(await asJson(['workflow', 'run', 'cli.hello', '--at', '1', '--wait'])).toMatchObject({
      status: 'completed',
      result: { word: 'hello' },
    });
    const runId = (await spine(['workflow', 'run', 'cli.hello'])).out.trim();
    expect((await spine(['run', 'wait', runId])).code).toBe(0);
    expect((await spine(['workflow', 'state', runId])).out).toMatch(/^one +lambda +completed/m);
    expect((await spine(['workflow', 'diff', 'cli.hello', '1', '2'])).out).toContain('+ {"word":"bye"}');
    expect((await spine(['workflow', 'rollback', 'cli.hello', '1', '--reason', 'too sad'])).out).toContain(
      'cli.hello is at version',
    );
    expect((await spine(['workflow', 'history', 'cli.hello'])).out).toContain('too sad');
    expect((await spine(['workflow', 'versions', 'cli.hello'])).out).toContain('bye');
    expect((await spine(['workflow', 'show', 'cli.hello', '--yaml'])).out).toContain('name: cli.hello');
    expect((await spine(['workflow', 'graph', 'cli.hello', '--format', 'mermaid'])).out).toContain('one');
    expect(await asJson(['workflow', 'dry-run', 'cli.hello'])).toMatchObject({ is_valid: true });
    const stale = await spine(['workflow', 'archive', 'cli.hello', '--yes', '--if-version', '99']);
    expect(stale.code).toBe(4);
    expect((await spine(['workflow', 'archive', 'cli.hello', '--yes'])).code).toBe(0);
  });

  it('are gone through by hand, forwards and back', async () => {
    writeFileSync(join(folder, 'by-hand.yaml'), yaml('hello'));
    const begun = await asJson(['playground', 'start', 'by-hand.yaml', '--mode', 'stub']);
    const id = String(begun['session_id']);
    expect((await spine(['playground', 'show', id])).out).toMatch(/^next +one, with \{"word":"hello"\}$/m);
    expect((await spine(['playground', 'step', id, '--all'])).out).toMatch(/^ +\d+ +one +ok/m);
    expect(await asJson(['playground', 'back', id])).toMatchObject({ remaining: ['one'] });
    expect((await spine(['playground', 'list', '--workflow', 'cli.hello'])).out).toContain(id);
    expect((await spine(['playground', 'delete', id])).code).toBe(0);
    expect((await spine(['playground', 'show', id])).code).toBe(3);
  });
});

describe('schedules, lanes and workers', () => {
  it('schedules are made, looked at, started, paused and deleted', async () => {
    const made = await asJson([
      'schedule',
      'create',
      'cli-beat',
      'task:echo',
      'n=1',
      '--every',
      '1h',
      '--paused',
    ]);
    const id = String(made['schedule_id']);
    expect((await spine(['schedule', 'list'])).out).toMatch(/cli-beat +paused +task:echo +every 1 h 00 m/);
    expect((await spine(['schedule', 'resume', id])).out).toContain('is active');
    const runId = (await spine(['schedule', 'trigger', id])).out.trim();
    expect((await spine(['run', 'wait', runId])).code).toBe(0);
    expect((await spine(['schedule', 'runs', id])).out).toContain(runId);
    expect((await spine(['schedule', 'delete', id, '--yes'])).code).toBe(0);
    const times = await asJson(['schedule', 'preview', '--cron', '0 6 * * 1', '--count', '2']);
    expect(times['fire_times']).toHaveLength(2);
  });

  it('lanes are paused and resumed', async () => {
    expect((await spine(['queue', 'pause', 'slow', '--note', 'maintenance'])).out).toBe(
      'lane slow is paused\n',
    );
    expect((await spine(['queue', 'list'])).out).toMatch(/^slow .* paused/m);
    expect((await spine(['queue', 'resume', 'slow'])).out).toBe('lane slow is open\n');
    expect((await spine(['worker', 'list'])).out).toMatch(/^\S+ +active +\d+\/20/m);
    expect((await spine(['function', 'show', 'task:add'])).out).toContain('params_schema');
    expect((await spine(['stats'])).out).toMatch(/^health +\w+, \d+ of 100/m);
  });
});

describe('keys', () => {
  it('are shown once, or kept in a file that only their owner reads; a wrong one is exit code 5', async () => {
    const made = await spine(['keys', 'create', 'reports', '--scope', 'read', '--to-file', 'reports.key']);
    expect(made.code).toBe(0);
    const path = join(folder, 'reports.key');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(made.out).not.toContain(readFileSync(path, 'utf8').trim());
    expect((await spine(['keys', 'create', 'again', '--to-file', 'reports.key'])).problem).toContain(
      'cannot be made',
    );
    expect((await spine(['run', 'list', '--key-file', 'reports.key'])).code).toBe(0);
    const refused = await spine(['queue', 'pause', 'slow', '--key-file', 'reports.key']);
    expect(refused.code).toBe(5);
    const wrong = await spine(['run', 'list'], { env: { SPINE_API_KEY: 'of-nobody-at-all' } });
    expect(wrong.code).toBe(5);
    expect(wrong.problem).toContain('fix: set SPINE_API_KEY');
    const [key] = listIn(await asJson(['keys', 'list']));
    expect((await spine(['keys', 'revoke', String(key?.['key_id']), '--yes'])).out).toContain('is revoked');
    expect((await spine(['audit', 'list', '--method', 'POST'])).out).toContain('/api/v1/keys');
  });
});

describe('every list', () => {
  it.each([
    ['function', 'list'],
    ['quality', 'list'],
    ['anomalies', 'list'],
    ['rejects', 'list'],
    ['backfill', 'list'],
    ['watermarks', 'list'],
    ['manifest', 'list', '--domain', 'demo', '--partition', 'tier=OTC'],
    ['readiness', 'list', '--ready'],
    ['assets', 'list', '--freshness', 'stale'],
    ['audit', 'list'],
    ['workflow', 'list', '--sort', 'name'],
  ])('answers: spine %s %s', async (...args) => {
    expect(Array.isArray(await asJson(args))).toBe(true);
    expect(await spine(args)).toMatchObject({ code: 0 });
  });

  it('a backfill is planned, and deleted before it has started', async () => {
    const plan = ['backfill', 'create', 'task:echo', '--domain', 'demo', '--source', 'cli'];
    const made = await asJson([...plan, '--key', 'day=2026-01-02', '--key', 'day=2026-01-05']);
    const id = String(made['backfill_id']);
    expect(made).toMatchObject({ status: 'PLANNED', total: 2 });
    expect((await spine(['backfill', 'partitions', id])).out).toContain('day=2026-01-02');
    expect((await spine(['backfill', 'delete', id, '--yes'])).code).toBe(0);
    expect((await spine([...plan])).problem).toContain('give partitions by --key');
  });
});
