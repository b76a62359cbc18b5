import { spawn } from 'node:child_process';
import type { RunAs } from './run-as.ts';

export interface CommandOptions {
  readonly runAs?: RunAs | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Written to the command's standard input, which is then closed. */
  readonly input?: string;
}

export interface CommandResult {
  /** Exit code; null when it was ended by a signal, by the time-out or by the caller's AbortSignal. */
  readonly code: number | null;
  /** Standard output and error in the order of arrival, the last 16,000 characters. */
  readonly output: string;
  readonly timedOut: boolean;
}

const OUTPUT_LIMIT = 16_000;

/**
 * Runs a program to its end. It gets its own process group, so that Ctrl-C in the terminal reaches only the
 * launcher, which then decides; and an explicit environment, so that a PGDATA or PGPORT of the user's shell
 * cannot point it at another cluster. Rejects when the program cannot be started at all.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: '/',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
      ...(options.runAs ? { uid: options.runAs.uid, gid: options.runAs.gid } : {}),
    });

    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_LIMIT);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);

    let timedOut = false;
    const killGroup = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup();
    }, options.timeoutMs);
    if (options.signal?.aborted) killGroup();
    options.signal?.addEventListener('abort', killGroup, { once: true });

    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', killGroup);
    };
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('close', (code) => {
      settle();
      resolve({ code, output, timedOut });
    });

    if (options.input !== undefined && child.stdin) {
      // A program that ends before reading its input must be reported by its exit code, not by EPIPE.
      child.stdin.on('error', () => undefined);
      child.stdin.end(options.input);
    }
  });
}
