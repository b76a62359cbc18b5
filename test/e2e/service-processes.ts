/** The real processes of a deployment, as children of a test. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface ServiceProcess {
  readonly process: ChildProcess;
  readonly pid: number;
  /** What it said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** What it has logged so far. */
  output(): string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts the built entry of a service and waits until it says that it is ready. */
export function startService(
  name: 'api' | 'worker' | 'scheduler',
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  return startProgram(new URL(`../../services/${name}/dist/main.js`, import.meta.url), env);
}

/** Starts a program that runs a service, and waits until it says that it is ready. */
export async function startProgram(
  program: URL,
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const child = fork(fileURLToPath(program), {
    env: { PATH: process.env['PATH'] ?? '', SPINE_LOG_LEVEL: 'info', ...env },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const ended = once(child, 'exit').then(
    ([code, signal]: unknown[]) => (code ?? signal) as number | NodeJS.Signals,
  );
  const ready = once(child, 'message').then(([message]: unknown[]) => message as Record<string, unknown>);
  const first = await Promise.race([ready, ended]);
  if (typeof first !== 'object' || child.pid === undefined) {
    throw new Error(`${program.pathname} did not start:\n${output}`);
  }
  return {
    process: child,
    pid: child.pid,
    ready: first,
    output: () => output,
    ended,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await ended;
    },
  };
}
