import { fork } from 'node:child_process';
import type { ChildProcess, ForkOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REPLACE_EXIT_CODE } from './service-process.ts';

const SERVICE_PROCESS = new URL('service-process.ts', import.meta.url).href;

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spine-service-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  /** What the child has said so far on both streams. */
  said(): string;
  /** The first message over IPC. */
  readonly message: Promise<unknown>;
  /** Code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

async function endOf(child: ChildProcess): Promise<number | string> {
  // Not 'close': it does not come once the parent has broken the channel.
  const exit: Promise<unknown[]> = once(child, 'exit');
  const ends: Promise<unknown>[] = [];
  for (const stream of [child.stdout, child.stderr]) if (stream !== null) ends.push(once(stream, 'end'));
  await Promise.all(ends);
  const [code, signal] = await exit;
  return typeof code === 'number' ? code : String(signal);
}

/** A process whose service is written by the test: `start` is the body of its start function. */
function service(start: string, options: ForkOptions = {}, stopWithinMs = 20_000): Started {
  const script = join(folder, 'service.mjs');
  writeFileSync(
    script,
    `import { runServiceProcess } from ${JSON.stringify(SERVICE_PROCESS)};
const alive = setInterval(() => {}, 1_000);
await runServiceProcess({ name: 'toy', stopWithinMs: ${stopWithinMs}, start: async () => { ${start} } });`,
  );
  const child = fork(script, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [], env: {}, ...options });
  children.push(child);
  let output = '';
  const keep = (chunk: unknown): void => void (output += String(chunk));
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return {
    child,
    said: () => output,
    message: once(child, 'message').then(([message]: unknown[]) => message),
    ended: endOf(child),
  };
}

const RUNS = `return { ready: { url: 'http://here' }, stop: async () => { console.log('stopped properly'); } };`;

describe('a service process', () => {
  it('tells its launcher that it is ready, and with what', async () => {
    const { message } = service(RUNS);
    expect(await message).toEqual({ type: 'ready', url: 'http://here' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('stops properly on %s, with code 0', async (signal) => {
    const { child, message, ended, said } = service(RUNS);
    await message;
    child.kill(signal);
    expect(await ended).toBe(0);
    expect(said()).toBe('stopped properly\n');
  });

  it('that wants to be replaced stops properly, with a code that says so', async () => {
    const { message, ended, said } = service(
      `return { ready: {}, replaceMe: Promise.resolve('memory'), stop: async () => { console.log('stopped properly'); } };`,
    );
    await message;
    expect(await ended).toBe(REPLACE_EXIT_CODE);
    expect(said()).toBe('stopped properly\n');
  });

  it('stops properly when its launcher is gone', async () => {
    const { child, message, ended, said } = service(RUNS);
    await message;
    child.disconnect();
    expect(await ended).toBe(0);
    expect(said()).toBe('stopped properly\n');
  });

  it('stops once when a dying launcher sends a signal and breaks the channel', async () => {
    const { child, message, ended, said } = service(RUNS);
    await message;
    child.kill('SIGTERM');
    child.disconnect();
    expect(await ended).toBe(0);
    expect(said()).toBe('stopped properly\n');
  });

  it('stops when it was told to while it was starting', async () => {
    const { child, message, ended, said } = service(
      `process.send('starting'); await new Promise((go) => process.once('SIGTERM', go)); ${RUNS}`,
    );
    expect(await message).toBe('starting');
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(said()).toBe('stopped properly\n');
  });

  it('says why it cannot start, and ends with 1', async () => {
    const { ended, said } = service(`throw new Error('SPINE_PORT: given "x"');`);
    expect(await ended).toBe(1);
    expect(said()).toBe('toy could not start: SPINE_PORT: given "x"\n');
  });

  it('ends with 1 when its stop fails, and says why', async () => {
    const { child, message, ended, said } = service(
      `return { ready: {}, stop: async () => { throw new Error('no way out'); } };`,
    );
    await message;
    child.kill('SIGTERM');
    expect(await ended).toBe(1);
    expect(said()).toBe('toy: stop: no way out\n');
  });

  it('ends with 1 when its stop takes longer than allowed', async () => {
    const { child, message, ended, said } = service(
      `return { ready: {}, stop: () => new Promise(() => {}) };`,
      {},
      50,
    );
    await message;
    child.kill('SIGTERM');
    expect(await ended).toBe(1);
    expect(said()).toContain('not stopped within 50 ms');
  });

  it('ends at once on a second signal', async () => {
    const { child, message, ended } = service(
      `return { ready: {}, stop: () => { process.send('stopping'); return new Promise(() => {}); } };`,
    );
    await message;
    const stopping = once(child, 'message');
    child.kill('SIGTERM');
    expect(await stopping.then(([text]: unknown[]) => text)).toBe('stopping');
    child.kill('SIGINT');
    expect(await ended).toBe(1);
  });

  it('survives a rejection nobody handled, and says it', async () => {
    const { child, message, ended, said } = service(`void Promise.reject(new Error('forgotten')); ${RUNS}`);
    await message;
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(said()).toContain('toy: unhandled rejection: forgotten');
    expect(said()).toContain('stopped properly');
  });
});
