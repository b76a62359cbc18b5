/** The real processes of a deployment, as children of a test. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface ServiceProcess {
  readonly process: ChildProcess;
  readonly pid: number;
  /** What it has logged so far. */
  output(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts the built entry of a service and waits until it says that it is ready. */
export async function startService(
  name: 'worker' | 'scheduler',
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const main = fileURLToPath(new URL(`../../services/${name}/dist/main.js`, import.meta.url));
  const child = fork(main, {
    env: { PATH: process.env['PATH'] ?? '', SPINE_LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const exited = once(child, 'exit');
  const ready = once(child, 'message').then(() => 'ready' as const);
  if ((await Promise.race([ready, exited])) !== 'ready' || child.pid === undefined) {
    throw new Error(`the ${name} did not start:\n${output}`);
  }
  return {
    process: child,
    pid: child.pid,
    output: () => output,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await exited;
    },
  };
}
