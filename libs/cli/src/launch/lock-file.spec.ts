import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identifyProcess, isStillRunning } from '@spine/database/embedded';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from './lock-file.ts';
import { parseLock, renderLock, type LockRecord } from './lock-record.ts';
import { reapProcesses } from './reap.ts';

let base: string;
let dataDir: string;
let file: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'spine-lock-'));
  dataDir = join(base, 'deep', '.spine');
  file = join(dataDir, 'launcher.json');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const read = () => parseLock(readFileSync(file, 'utf8'));

/** A process that ignores SIGTERM when asked to, and its identity. */
async function someProcess(stubborn = false) {
  const script = `${stubborn ? "process.on('SIGTERM', () => {});" : ''} setInterval(() => {}, 1000); console.log('up')`;
  const child = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  await once(child.stdout, 'data');
  return { child, identity: identifyProcess(child.pid ?? 0) };
}

async function finishedProcess() {
  const { child, identity } = await someProcess();
  child.kill('SIGKILL');
  await once(child, 'exit');
  return identity;
}

function lockOf(launcher: LockRecord['launcher'], more: Partial<LockRecord> = {}): string {
  return renderLock({ token: 'other', launcher, state: 'running', url: null, children: [], ...more });
}

describe('takeLock', () => {
  it('makes the folder, names this process, follows updates and goes away', async () => {
    const lock = await takeLock(dataDir);
    expect(lock.leftovers).toEqual([]);
    expect(read()).toMatchObject({ launcher: identifyProcess(process.pid), state: 'starting', url: null });
    const child = { name: 'api', pid: 4242, startTime: 'x' };
    lock.update({ state: 'running', url: 'http://h', children: [child] });
    expect(read()).toMatchObject({ state: 'running', url: 'http://h', children: [child] });
    lock.release();
    expect(existsSync(file)).toBe(false);
  });

  it('refuses while another launcher lives', async () => {
    const first = await takeLock(dataDir);
    first.update({ state: 'running', url: 'http://127.0.0.1:3000' });
    await expect(takeLock(dataDir)).rejects.toThrow(
      `already runs (process ${process.pid}, http://127.0.0.1:3000)`,
    );
    expect(read()).toMatchObject({ state: 'running' });
    first.release();
  });

  it('waits for a launcher that is stopping', async () => {
    const first = await takeLock(dataDir);
    first.update({ state: 'stopping' });
    const second = takeLock(dataDir);
    setTimeout(() => first.release(), 300);
    await expect(second).resolves.toMatchObject({ leftovers: [] });
  });

  it('takes over from a launcher that was killed, and hands out what it left', async () => {
    const orphan = await someProcess();
    const launcher = await finishedProcess();
    const first = await takeLock(dataDir);
    first.release();
    writeFileSync(
      file,
      lockOf(launcher, {
        children: [
          { name: 'worker-1', ...orphan.identity },
          { name: 'worker-2', ...(await finishedProcess()) },
        ],
      }),
    );
    const lock = await takeLock(dataDir);
    expect(lock.leftovers).toEqual([{ name: 'worker-1', ...orphan.identity }]);
    // Should this launcher die before it has reaped, the next one must still know.
    expect(read()?.children).toEqual(lock.leftovers);
    expect(await reapProcesses(lock.leftovers, 5_000)).toEqual([]);
    expect(isStillRunning(orphan.identity)).toBe(false);
  });

  it('takes over a torn file', async () => {
    const first = await takeLock(dataDir);
    first.release();
    writeFileSync(file, '{"token":"x","laun');
    const lock = await takeLock(dataDir);
    expect(lock.leftovers).toEqual([]);
    expect(read()?.launcher.pid).toBe(process.pid);
  });

  it('lets exactly one of several take over', async () => {
    const launcher = await finishedProcess();
    const first = await takeLock(dataDir);
    first.release();
    writeFileSync(file, lockOf(launcher));
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => takeLock(dataDir)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('does not remove a lock that is another’s by now', async () => {
    const lock = await takeLock(dataDir);
    const other = lockOf({ pid: 4242, startTime: 'x' });
    writeFileSync(file, other);
    lock.release();
    expect(readFileSync(file, 'utf8')).toBe(other);
  });

  it('says which folder cannot be made', async () => {
    writeFileSync(join(base, 'deep'), 'a file in the way');
    await expect(takeLock(dataDir)).rejects.toThrow(
      /SPINE_DATA_DIR: the folder .*deep\/\.spine cannot be created/,
    );
  });
});

describe('reapProcesses', () => {
  it('kills what does not end by itself, and says what', async () => {
    const { identity } = await someProcess(true);
    expect(await reapProcesses([{ name: 'stubborn', ...identity }], 200)).toEqual([
      { name: 'stubborn', ...identity },
    ]);
    expect(isStillRunning(identity)).toBe(false);
  });

  it('leaves a process alone that merely has the pid', async () => {
    const { child, identity } = await someProcess();
    expect(await reapProcesses([{ ...identity, startTime: 'another start' }], 200)).toEqual([]);
    expect(isStillRunning(identity)).toBe(true);
    child.kill('SIGKILL');
  });
});
