/** `spine` against a real API and a real worker: what it answers, how it waits, and its exit codes. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { spine as spineWith, startSpine } from './cli-support.ts';
import type { Ended, SpineOptions } from './cli-support.ts';

const BIN = fileURLToPath(new URL('../../libs/cli/bin/spine.mjs', import.meta.url));
const NO_RUN = '01912345-6789-7abc-8def-0123456789ab';

const KEY = randomKey();
/** What every call has. */
const ENV = { SPINE_API_KEY: KEY };

let api: Api;
let driver: WorkflowDriver;
let folder: string;
const gates = new Map<string, () => void>();

/** Lets the run of a `gate` go on. */
async function open(gate: string): Promise<void> {
  await waitFor(() => Promise.resolve(gates.has(gate)), {
    timeoutMs: 15_000,
    message: `gate ${gate} reached`,
  });
  gates.get(gate)?.();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spine-cli-'));
  const workflows = new WorkflowRegistry().registerFunction('say', ({ word }) => ({ word: word ?? null }));
  api = await startApi({
    keys: [KEY],
    register: (registry) => {
      workflows.registerHandlers(registry);
      registry.registerTask(
        'gate',
        { description: 'Waits to be let through.', params: z.strictObject({ gate: z.string() }) },
        async ({ gate }, ctx) => {
          ctx.log.info({ gate }, 'at the gate');
          ctx.progress(0.5, 'half way');
          await new Promise<void>((resolve, reject) => {
            gates.set(gate, resolve);
            ctx.signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
          });
          ctx.log.warn({ gate }, 'through');
          return { gate };
        },
      );
    },
  });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
});
afterAll(async () => {
  await driver.stop();
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

type Options = Partial<SpineOptions>;

const spine = (args: readonly string[], options: Options = {}): Promise<Ended> =>
  spineWith(args, { url: api.url, cwd: folder, env: ENV, ...options });

/** What it answers with `--json`, and nothing else. */
async function asJson(args: readonly string[], code = 0): Promise<Json> {
  const ended = await spine([...args, '--json']);
  expect(ended, args.join(' ')).toMatchObject({ code });
  return JSON.parse(ended.out) as Json;
}

async function submitted(...args: readonly string[]): Promise<string> {
  return String((await asJson(['run', 'submit', ...args]))['run_id']);
}

describe('runs', () => {
  it('are submitted and waited for; the exit code is the outcome', async () => {
    const added = await asJson(['run', 'submit', 'task:add', 'a=2', '{"b": 3}', '--tag', 'cli', '--wait']);
    expect(added).toMatchObject({ status: 'completed', result: { sum: 5 }, tags: ['cli'] });
    const failed = await spine(['run', 'submit', 'fail', 'message=no such luck', '--wait']);
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(/^status +dead_lettered$/m);
    expect(failed.out).toContain('no such luck');
    const text = await spine(['run', 'wait', String(added['run_id'])]);
    expect(text).toMatchObject({ code: 0, problem: '' });
    expect(text.out).toMatch(/^result +\{"sum":5\}$/m);
  });

  it('are one for one key, and read from a file or standard input', async () => {
    writeFileSync(
      join(folder, 'spec.json'),
      '{"kind": "task", "name": "echo", "idempotency_key": "cli-once"}',
    );
    const once = await asJson(['run', 'submit', '--file', 'spec.json']);
    const again = await spine(['run', 'submit', '--file', 'spec.json']);
    expect(once['existing']).toBe(false);
    expect(again.out).toContain(`${String(once['run_id'])} (submitted before`);
    writeFileSync(join(folder, 'other.json'), '{"kind": "task", "name": "echo", "params": {"n": 1}}');
    const read = await spine(['run', 'submit', '--file', 'other.json', '@-', '--wait', '--json'], {
      stdin: '{"from": "stdin"}',
    });
    expect(JSON.parse(read.out)).toMatchObject({ result: { from: 'stdin' } });
  });

  it('are listed by filters, page by page, and again and again', async () => {
    for (const n of [1, 2, 3]) await submitted('task:echo', `n=${n}`, '--tag', 'listed');
    const cut = await spine(['run', 'list', '--tag', 'listed', '--limit', '2']);
    expect(cut.out.split('\n')).toHaveLength(4);
    expect(cut.out).toMatch(/^RUN +STATUS/);
    const cursor = /2 of 3; for more: --all, or --cursor (\S+)/.exec(cut.problem)?.[1] ?? 'none';
    const rest = await asJson(['run', 'list', '--tag', 'listed', '--limit', '2', '--cursor', cursor]);
    expect(rest).toMatchObject([{ params: { n: 1 } }]);
    const all = await asJson(['run', 'list', '--tag', 'listed', '--limit', '1', '--all']);
    expect(all).toMatchObject([{ params: { n: 3 } }, { params: { n: 2 } }, { params: { n: 1 } }]);
    expect((await spine(['run', 'list', '--tag', 'of-nobody'])).out).toBe('no runs\n');

    const watching = startSpine(
      ['run', 'list', '--tag', 'of-nobody', '--watch', '--interval', '20ms', '--json'],
      {
        url: api.url,
        env: ENV,
      },
    );
    await watching.says('[]\n[]\n');
    const shown = submitted('task:echo', '--tag', 'of-nobody');
    await watching.says(await shown);
    watching.interrupt();
    const { code, out } = await watching.ended;
    expect(code).toBe(130);
    // One document a line.
    for (const line of out.trimEnd().split('\n')) expect(Array.isArray(JSON.parse(line))).toBe(true);
  });

  it('on a terminal are coloured and drawn over the last look, unless NO_COLOR says no', async () => {
    const look = async (env: Record<string, string>) => {
      const watching = startSpine(
        ['run', 'list', '--status', 'completed', '--limit', '1', '--watch', '--interval', '20ms'],
        {
          url: api.url,
          env: { ...ENV, ...env },
          terminal: true,
        },
      );
      await waitFor(() => Promise.resolve(watching.said.out.split('\u001b[J').length > 2), {
        timeoutMs: 15_000,
        message: () => JSON.stringify(watching.said),
      });
      watching.interrupt();
      return (await watching.ended).out;
    };
    expect(await look({ TERM: 'xterm' })).toContain('\u001b[32mcompleted');
    const plain = await look({ NO_COLOR: '1' });
    expect(plain).toContain('\u001b[H');
    expect(plain).not.toContain('\u001b[3');
  });

  it('are followed: progress on the terminal, events and log lines as they come', async () => {
    const runId = await submitted('task:gate', 'gate=a');
    const waiting = startSpine(['run', 'wait', runId], {
      url: api.url,
      terminal: true,
      env: { ...ENV, NO_COLOR: '1' },
    });
    const logs = startSpine(['run', 'logs', runId, '--follow'], { url: api.url, env: ENV });
    const events = startSpine(['run', 'events', runId, '--follow', '--json'], { url: api.url, env: ENV });
    await waiting.says('[############------------]  50 % half way');
    await logs.says('INFO  at the gate {"gate":"a"}');
    await events.says('"progress"');
    await open('a');
    expect(await waiting.ended).toMatchObject({ code: 0 });
    const { out } = await logs.ended;
    expect(out.match(/at the gate/g)).toHaveLength(1);
    expect(out).toContain('WARN  through {"gate":"a"}');
    const types = (await events.ended).out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as Json)['event_type']);
    expect([types.at(0), types.at(-1)]).toEqual(['submitted', 'completed']);

    const warnings = await asJson(['run', 'logs', runId, '--level', 'warn']);
    expect(warnings).toMatchObject([{ message: 'through' }]);
    const told = await spine(['run', 'events', runId, '--type', 'completed']);
    expect(told.out).toMatch(/^\S+Z completed\n$/);
  });

  it('go on when the waiting ends, unless they shall not', async () => {
    const runId = await submitted('task:echo', '--after', '1h');
    const late = await spine(['run', 'wait', runId, '--timeout', '50ms']);
    expect(late.code).toBe(124);
    expect(late.problem).toContain(`run ${runId} goes on; to wait again: spine run wait ${runId}`);
    const interrupted = startSpine(['run', 'wait', runId], { url: api.url, env: ENV, terminal: true });
    await interrupted.says('submitted');
    interrupted.interrupt();
    expect((await interrupted.ended).code).toBe(130);
    expect(await asJson(['run', 'get', runId])).toMatchObject({ status: 'pending' });
    expect((await spine(['run', 'explain', runId])).out).toContain('not_due');

    const given = await spine([
      'run',
      'submit',
      'task:echo',
      '--after',
      '1h',
      '--wait',
      '--timeout',
      '50ms',
      '--cancel-on-interrupt',
    ]);
    expect(given.code).toBe(124);
    expect(given.problem).toContain('is cancelled');
  });

  it('are paused, resumed, cancelled and retried', async () => {
    const runId = await submitted('task:echo', '--after', '1h', '--tag', 'many');
    expect((await spine(['run', 'pause', runId])).out).toContain('is paused, was pending');
    expect((await spine(['run', 'resume', runId])).out).toContain('is pending');
    await submitted('task:echo', '--after', '1h', '--tag', 'many');
    const many = ['run', 'cancel', '--tag', 'many'];
    expect((await spine([...many, '--dry-run'])).out).toBe('2 runs would be cancelled\n');
    const asked = await spine(many);
    expect(asked.code).toBe(2);
    expect(asked.problem).toContain('Cancel 2 runs?');
    const answered = async (keys: string): Promise<string> => {
      const asking = startSpine(many, { url: api.url, env: ENV, terminal: true });
      await asking.says('Cancel 2 runs?');
      asking.type(keys);
      return (await asking.ended).out;
    };
    // Enter alone is no.
    expect(await answered('\r')).toContain('2 runs would be cancelled');
    expect(await answered('y')).toContain('2 of 2 runs cancelled');
    expect((await spine([...many, '--yes'])).out).toContain('0 of 0 runs cancelled');
    const again = await spine(['run', 'cancel', runId]);
    expect(again.code).toBe(4);
    expect(await asJson(['run', 'retry', runId])).toMatchObject({ retry_of_run_id: runId });
  });
});

describe('what is refused', () => {
  it('has an exit code and says why', async () => {
    const gone = await spine(['run', 'get', NO_RUN]);
    expect(gone).toMatchObject({ code: 3, out: '' });
    expect(gone.problem).toMatch(/spine: .*\n {2}request \S+\n/);
    const wrong = await spine(['schedule', 'preview', '--cron', 'often']);
    expect(wrong.code).toBe(2);
    expect(wrong.problem).toMatch(/^spine: cron_expression: /);
    // Said once, as it is all there is.
    expect(wrong.problem.match(/cron_expression: /g)).toHaveLength(1);
    const unknown = await spine(['run', 'submit', 'task:of-nobody', '--json']);
    expect(JSON.parse(unknown.problem)).toMatchObject({ error: { code: 'VALIDATION_FAILED', exit_code: 2 } });
  });
});

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
    - { name: one, kind: lambda, handler: say, params: { word: ${word} } }
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

describe('the program', () => {
  const env = () => ({ PATH: process.env['PATH'] ?? '', SPINE_URL: api.url, ...ENV });

  it('stops waiting at Ctrl-C with 130', async () => {
    const runId = await submitted('task:echo', '--after', '1h');
    const child = spawn(process.execPath, [BIN, 'run', 'events', runId, '--follow'], {
      env: env(),
      stdio: 'pipe',
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
  });

  it('goes over to the Node of the install where the one it was started with is too old', async () => {
    const pretend =
      'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.11.0"}})';
    const args = ['--import', pretend, BIN, 'doctor', '--only', 'environment', '--json'];
    const { stdout, stderr, code } = await promisify(execFile)(process.execPath, args, {
      env: env(),
      cwd: folder,
    }).then(
      (done) => ({ ...done, code: 0 }),
      (failed: { stdout: string; stderr: string; code: number }) => failed,
    );
    const installed = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
    if (existsSync(installed)) {
      const { findings } = JSON.parse(stdout) as { findings: { id: string; severity: string }[] };
      expect(findings.find(({ id }) => id === 'node_version')).toMatchObject({ severity: 'ok' });
    } else {
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('spine needs Node 22.12 or newer; this is Node 20.11.0');
    }
  });

  it('does not mind that its reader leaves', async () => {
    const line = `"${process.execPath}" "${BIN}" completion fish | head -c 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', line], { env: env() });
    expect({ stdout, stderr }).toEqual({ stdout: '#0\n', stderr: '' });
  });
});
