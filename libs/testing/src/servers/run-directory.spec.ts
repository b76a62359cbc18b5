import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identifyProcess, isStillRunning, type ProcessIdentity } from '@spine/database/embedded';
import { waitFor } from '../wait-for.ts';
import { reapAbandonedServers } from './run-directory.ts';

describe('the servers of a test run', () => {
  const children: ChildProcess[] = [];
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'spine-test-'));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  async function startProcess(): Promise<ProcessIdentity> {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    return identifyProcess(child.pid ?? 0);
  }

  async function endedProcess(): Promise<ProcessIdentity> {
    const identity = await startProcess();
    children.at(-1)?.kill('SIGKILL');
    await waitFor(() => !isStillRunning(identity));
    return identity;
  }

  function record(file: string, { pid, startTime }: ProcessIdentity): void {
    writeFileSync(
      join(directory, file),
      JSON.stringify({ pid, start_time: startTime, end_signal: 'SIGKILL' }),
    );
  }

  it('are ended, and their files removed, when their owner is gone', async () => {
    const server = await startProcess();
    record('owner.json', await endedProcess());
    record(`process-${server.pid}.json`, server);
    process.kill(server.pid, 'SIGSTOP');

    await reapAbandonedServers();
    expect(isStillRunning(server)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });

  it('are left alone while their owner runs', async () => {
    const server = await startProcess();
    record('owner.json', await startProcess());
    record(`process-${server.pid}.json`, server);

    await reapAbandonedServers();
    expect(isStillRunning(server)).toBe(true);
    expect(existsSync(directory)).toBe(true);
  });

  it('are not mistaken for a process that was given the same pid later', async () => {
    const stranger = await startProcess();
    record('owner.json', await endedProcess());
    record(`process-${stranger.pid}.json`, { ...stranger, startTime: 'before the pid was reused' });

    await reapAbandonedServers();
    expect(isStillRunning(stranger)).toBe(true);
    expect(existsSync(directory)).toBe(false);
  });

  it('are ended by the keeper when the run dies', async () => {
    const program = fileURLToPath(new URL('keeper.ts', import.meta.url));
    const keeper = spawn(process.execPath, ['--conditions=@spine/source', program], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    children.push(keeper);
    const server = await startProcess();
    record('owner.json', await endedProcess());
    record(`process-${server.pid}.json`, server);

    // As the operating system does when the process at the other end dies.
    keeper.stdin.destroy();
    await waitFor(() => !isStillRunning(server) && !existsSync(directory), {
      message: 'the keeper to clean up',
    });
  });
});
