/** `spine dev` on a small project of its own: a real launcher, a real compiler, and the product's worker with a handler that changes. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { identifyProcess, isStillRunning } from '@spine/database/embedded';
import type { ProcessIdentity } from '@spine/database/embedded';
import { waitFor } from '@spine/testing';
import { openEngineDatabase, runOf, store } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const WAIT_MS = 60_000;

/** Serves the port it is given: what the launcher asks of an API. */
const API = `import { createServer } from 'node:http';
import './code.js';
createServer((_, answer) => answer.end('{}')).listen(Number(process.env.SPINE_PORT), '127.0.0.1', () => process.send({ type: 'ready' }));
for (const end of ['SIGTERM', 'disconnect']) process.on(end, () => process.exit(0));`;
const SCHEDULER = `process.send({ type: 'ready' });
for (const end of ['SIGTERM', 'disconnect']) process.on(end, () => process.exit(0));`;
/** The handler holds on to its run until its worker has to stop, unless it knows the answer. */
const WORKER = `import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { loadProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startWorker } from '@spine/worker';
import { answer } from './answer.js';
const moreHandlers = (registry) => registry.registerTask('ask', { description: 'ask', params: z.strictObject({}) },
  async (_, { signal }) => answer === 'unknown' ? sleep(3_600_000, undefined, { signal }) : { answer });
await runServiceProcess({ name: 'worker', stopWithinMs: 60_000,
  start: async () => startWorker(await loadProcessSettings({ role: 'worker' }), { moreHandlers }) });`;

let database: EngineDatabase;
let root: string;
let session: ChildProcess;
let output = '';
let ended: Promise<unknown[]>;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** The code of the worker's handler. */
const writeAnswer = (expression: string): void =>
  write('services/worker/src/answer.ts', `export const answer: string = ${expression};\n`);

/** Waits for a text that was not said yet. */
async function says(text: string): Promise<void> {
  await waitFor(
    () => {
      if (session.exitCode !== null) throw new Error(`ended without ${JSON.stringify(text)}:\n${output}`);
      return Promise.resolve(output.includes(text));
    },
    { timeoutMs: WAIT_MS, message: () => `${JSON.stringify(text)} in:\n${output}` },
  );
  output = output.slice(output.indexOf(text) + text.length);
}

function processes(): Map<string, ProcessIdentity> {
  const lock = JSON.parse(readFileSync(join(root, 'data', 'launcher.json'), 'utf8')) as {
    children: { name: string; pid: number }[];
  };
  return new Map(lock.children.map(({ name, pid }) => [name, identifyProcess(pid)]));
}

beforeAll(async () => {
  database = await openEngineDatabase();
  root = mkdtempSync(join(tmpdir(), 'spine-dev-'));
  symlinkSync(join(CHECKOUT, 'node_modules'), join(root, 'node_modules'));
  write('package.json', '{"type": "module", "workspaces": ["services/*"]}');
  for (const [service, program] of Object.entries({ api: API, scheduler: SCHEDULER, worker: WORKER })) {
    write(`services/${service}/package.json`, `{"name": "@small/${service}", "type": "module"}`);
    write(
      `services/${service}/tsconfig.lib.json`,
      '{"compilerOptions": {"composite": true, "rootDir": "src", "outDir": "dist", "module": "nodenext", "lib": ["es2022"], "skipLibCheck": true, "types": []}, "include": ["src"]}',
    );
    write(`services/${service}/src/code.ts`, 'export {};\n');
    write(`services/${service}/dist/main.js`, program);
  }
});
afterAll(async () => {
  session.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
  await database.close();
});

it('compiles and restarts what changes, takes no attempt for it, and survives broken code', async () => {
  writeAnswer('42');
  session = spawn(
    process.execPath,
    [
      '--conditions=@spine/source',
      '--input-type=module',
      '--eval',
      `const { runDev } = await import(${JSON.stringify(join(CHECKOUT, 'libs/cli/src/launch/dev/run-dev.ts'))});
       process.exit(await runDev(${JSON.stringify(root)}));`,
    ],
    {
      cwd: root,
      env: {
        PATH: process.env['PATH'] ?? '',
        SPINE_DATABASE_URL: database.connectionString,
        SPINE_DATA_DIR: join(root, 'data'),
        SPINE_PORT: '0',
        SPINE_WORKERS: '1',
        SPINE_SHUTDOWN_GRACE_SECONDS: '2',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const collect = (chunk: Buffer): void => void (output += chunk.toString('utf8'));
  session.stdout?.on('data', collect);
  session.stderr?.on('data', collect);
  ended = once(session, 'exit');

  // What cannot be compiled is told, and nothing is started.
  await says('✗ build');
  await says(
    "services/worker/src/answer.ts(1,14): error TS2322: Type 'number' is not assignable to type 'string'",
  );
  expect(existsSync(join(root, 'data'))).toBe(false);
  writeAnswer("'unknown'");
  await says('What you change is compiled and restarted.');

  // A run that is under way is handed to the new code, without an attempt being charged.
  const [runId = ''] = await store(database.pool, [runOf({ name: 'ask' })]);
  const run = async () => {
    const { rows } = await database.admin.query<Record<string, unknown>>(
      'SELECT status, attempt, crash_count, result FROM runs WHERE id = $1',
      [runId],
    );
    return rows[0] ?? {};
  };
  await waitFor(async () => (await run())['status'] === 'running', { timeoutMs: WAIT_MS });
  const before = processes();
  writeAnswer("'new'");
  await says('· changed: services/worker/src/answer.ts\n');
  await says('restarting worker');
  await says('✓ worker-1 with the new code');
  await waitFor(async () => (await run())['status'] === 'completed', { timeoutMs: WAIT_MS });
  expect(await run()).toMatchObject({ attempt: 1, crash_count: 0, result: { answer: 'new' } });
  const after = processes();
  expect(after.get('worker-1')?.pid).not.toBe(before.get('worker-1')?.pid);
  for (const name of ['api', 'scheduler']) expect(after.get(name)).toEqual(before.get(name));

  // What compiles and does not start is told, and the next change is another try.
  write('services/api/src/code.ts', "throw new Error('broken at its start');\nexport {};\n");
  await says('api did not start');
  await says('broken at its start');
  expect([...processes().keys()].sort()).toEqual(['scheduler', 'worker-1']);
  expect([...processes().values()].filter(isStillRunning)).toHaveLength(2);
  write('services/api/src/code.ts', 'export {};\n');
  await says('✓ api with the new code');

  const last = [...processes().values()];
  expect(last).toHaveLength(3);
  session.kill('SIGINT');
  expect((await ended)[0]).toBe(0);
  expect(last.filter(isStillRunning)).toEqual([]);
  expect(output).toContain('Stopped.');
  expect(existsSync(join(root, 'data', 'launcher.json'))).toBe(false);
}, 180_000);
