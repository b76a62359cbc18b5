import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning } from '@spine/database/embedded';
import { waitFor } from '@spine/testing';
import { ManagedProcess } from './managed-process.ts';

let directory: string;
let managed: ManagedProcess;
let asked: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spine-managed-'));
  asked = 0;
  managed = new ManagedProcess({
    name: 'sample',
    entry: fileURLToPath(new URL('./fixtures/process.ts', import.meta.url)),
    logFile: join(directory, 'log'),
    env: () => Promise.resolve({ NUMBER: String((asked += 1)) }),
  });
});
afterEach(async () => {
  await managed.end();
  rmSync(directory, { recursive: true });
});

function pidNow(): number {
  if (managed.pid === undefined) throw new Error('it is down');
  return managed.pid;
}

describe('a managed process', () => {
  it('is started once, says what it has to say, and ends as it is told', async () => {
    await managed.start();
    await managed.start();
    expect(managed.ready).toMatchObject({ number: '1' });
    const pid = pidNow();
    expect(await managed.end('SIGTERM')).toEqual({ code: 0, forced: false });
    expect(isRunning(pid)).toBe(false);
    expect(managed).toMatchObject({ pid: undefined, ready: null, restarts: 0, crashes: 0 });
    expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('start 1\n');
  });

  it('comes back when it ends without having been told to, with what is asked for then', async () => {
    await managed.start();
    managed.signal('SIGKILL');
    await waitFor(() => managed.ready?.['number'] === '2');
    expect(managed).toMatchObject({ restarts: 1, crashes: 1 });
  });

  it('comes back changed when it is restarted, which is no crash', async () => {
    await managed.start();
    managed.use({ nodeArgs: ['--no-warnings'], env: { NUMBER: 'mine' } });
    await managed.restart();
    expect(managed.ready).toMatchObject({ number: 'mine', args: ['--no-warnings'] });
    expect(managed).toMatchObject({ restarts: 1, crashes: 0 });
  });

  it('is ended also when it is frozen', async () => {
    await managed.start();
    const pid = pidNow();
    managed.signal('SIGSTOP');
    await managed.end();
    expect(isRunning(pid)).toBe(false);
  });

  it('is killed when it does not end in time', async () => {
    managed.use({ env: { STUBBORN: 'yes' } });
    await managed.start();
    const pid = pidNow();
    expect(await managed.end('SIGTERM', 300)).toEqual({ code: null, forced: true });
    expect(isRunning(pid)).toBe(false);
  });
});
