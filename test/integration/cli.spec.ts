/** `spine run` against a real API and a real worker: what it answers, how it waits, its exit codes; and the program. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { waitFor } from '@spine/testing';
import type { Api, Json } from './api-support.ts';
import { openCliBed } from './cli-bed.ts';
import type { CliBed } from './cli-bed.ts';
import { startSpine } from './cli-support.ts';

const BIN = fileURLToPath(new URL('../../libs/cli/bin/spine.mjs', import.meta.url));
const NO_RUN = '01912345-6789-7abc-8def-0123456789ab';

let bed: CliBed;
let api: Api;
let folder: string;
let ENV: CliBed['env'];
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
  bed = await openCliBed((registry) =>
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
    ),
  );
  ({ api, folder, env: ENV } = bed);
});
afterAll(() => bed.close());

const spine: CliBed['spine'] = (...call) => bed.spine(...call);
const asJson: CliBed['asJson'] = (...call) => bed.asJson(...call);

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
