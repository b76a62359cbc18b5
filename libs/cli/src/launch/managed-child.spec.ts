import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, isStillRunning } from '@spine/database/embedded';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChildStartError, ManagedChild, type ChildSpec } from './managed-child.ts';

let folder: string;
let said: string[];
let changes: number;
const children: ManagedChild[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spine-child-'));
  said = [];
  changes = 0;
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop(0)));
  rmSync(folder, { recursive: true, force: true });
});

function child(program: string, more: Partial<ChildSpec> = {}): ManagedChild {
  const script = join(folder, 'program.mjs');
  writeFileSync(script, program);
  const made = new ManagedChild(
    { name: 'worker-1', script, env: { PATH: '/usr/bin' }, logFile: join(folder, 'worker-1.log'), ...more },
    { say: (text) => said.push(text), onChange: () => (changes += 1) },
  );
  children.push(made);
  return made;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline)
      throw new Error(`the awaited condition did not come; said: ${said.join(' | ')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const READY = `process.send({ type: 'ready', url: 'http://127.0.0.1:1' });`;
const STAY = `process.on('disconnect', () => process.exit(0));`;

describe('a start', () => {
  it('is done when the child says so, with its environment and its log', async () => {
    const worker = child(
      `console.log('env', JSON.stringify(process.env.SPINE_X), process.env.HOME); ${READY} ${STAY}`,
      {
        env: { SPINE_X: 'given' },
      },
    );
    expect(await worker.start()).toEqual({ url: 'http://127.0.0.1:1' });
    expect(worker.record?.name).toBe('worker-1');
    expect(isRunning(worker.record?.pid ?? 0)).toBe(true);
    expect(changes).toBe(1);
    await until(() => readFileSync(worker.spec.logFile, 'utf8').includes('env "given" undefined'));
  });

  it('fails with the last lines when the child ends first', async () => {
    const worker = child(`console.error('cannot open the database'); process.exit(3);`);
    const attempt = worker.start();
    await expect(attempt).rejects.toThrow(ChildStartError);
    await expect(attempt).rejects.toThrow(
      /worker-1 did not start: exit code 3\..*cannot open the database.*worker-1\.log/s,
    );
    expect(worker.record).toBeUndefined();
  });

  it('fails when the child is never ready, and leaves no process', async () => {
    const worker = child(STAY, { readyTimeoutMs: 400 });
    const attempt = worker.start();
    const record = worker.record;
    await expect(attempt).rejects.toThrow('not ready within 0.4 s');
    expect(record !== undefined && isStillRunning(record)).toBe(false);
  });

  it('fails when the program is missing', async () => {
    const worker = child('', { script: join(folder, 'nothing.mjs') });
    await expect(worker.start()).rejects.toThrow(/Cannot find module.*nothing\.mjs/s);
  });
});

describe('a child that ends by itself', () => {
  it('is started again', async () => {
    const worker = child(`${READY} ${STAY}`);
    await worker.start();
    const first = worker.record;
    process.kill(first?.pid ?? 0, 'SIGKILL');
    await until(() => said.some((text) => text.includes('worker-1 is running again')));
    expect(said[0]).toContain('worker-1 ended unexpectedly (signal SIGKILL); starting it again in 1 s');
    expect(worker.record?.pid).not.toBe(first?.pid);
    expect(isStillRunning(worker.record ?? { pid: 0, startTime: null })).toBe(true);
  });

  it('because it wants to be replaced is started again, and is not called a failure', async () => {
    const worker = child(`process.on('SIGTERM', () => process.exit(75)); ${READY} ${STAY}`);
    await worker.start();
    const first = worker.record;
    process.kill(first?.pid ?? 0, 'SIGTERM');
    await until(() => said.some((text) => text.includes('worker-1 is running again')));
    expect(said[0]).toContain('worker-1 made room for a fresh one; starting it again in 1 s');
    expect(worker.record?.pid).not.toBe(first?.pid);
  });

  it('is not started again while stopping', async () => {
    const worker = child(`${READY} ${STAY}`);
    await worker.start();
    process.kill(worker.record?.pid ?? 0, 'SIGKILL');
    await until(() => said.length > 0);
    await worker.stop(1_000);
    const before = changes;
    // stop() ended the wait for the next start: without its guard the start would follow at once.
    await new Promise((resolve) => setImmediate(resolve));
    expect(changes).toBe(before);
    expect(worker.record).toBeUndefined();
    await expect(worker.start()).rejects.toThrow('the launcher is stopping');
  });
});

describe('a stop', () => {
  it('lets the child finish', async () => {
    const worker = child(
      `process.on('SIGTERM', () => setTimeout(() => { console.log('handed back'); process.exit(0); }, 100)); ${READY} ${STAY}`,
    );
    await worker.start();
    expect(await worker.stop(10_000)).toBe('ended');
    expect(readFileSync(worker.spec.logFile, 'utf8')).toContain('handed back');
    expect(said).toEqual([]);
  });

  it('that is asked for twice sends one signal', async () => {
    const worker = child(
      `let signals = 0;
       process.on('SIGTERM', () => { signals += 1; setTimeout(() => { console.log('signals', signals); process.exit(0); }, 50); });
       ${READY} ${STAY}`,
    );
    await worker.start();
    expect(await Promise.all([worker.stop(10_000), worker.stop(10_000)])).toEqual(['ended', 'ended']);
    expect(readFileSync(worker.spec.logFile, 'utf8')).toContain('signals 1');
  });

  it('kills a child that does not, with what it started', async () => {
    const worker = child(
      `import { spawn } from 'node:child_process';
       const inner = spawn('sleep', ['600']);
       console.log('inner', inner.pid);
       process.on('SIGTERM', () => {});
       ${READY} ${STAY}`,
    );
    await worker.start();
    const record = worker.record;
    await until(() => /inner \d+/.test(readFileSync(worker.spec.logFile, 'utf8')));
    const inner = Number(/inner (\d+)/.exec(readFileSync(worker.spec.logFile, 'utf8'))?.[1]);
    expect(isRunning(inner)).toBe(true);
    expect(await worker.stop(200)).toBe('killed');
    expect(record !== undefined && isStillRunning(record)).toBe(false);
    await until(() => !isRunning(inner));
  });

  it('of a child that was never started does nothing', async () => {
    expect(await child('').stop(10)).toBe('ended');
  });
});
