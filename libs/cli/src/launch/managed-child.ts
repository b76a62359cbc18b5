/**
 * One service process of the launcher.
 *
 * 1. After `stop()` was called nothing is started any more, whatever the child does.
 * 2. Every start is reported to `onChange` at once, so that the lock file names each living process.
 * 3. The child leads a process group of its own: Ctrl-C in the terminal reaches the launcher alone, which then asks
 *    each child once. It notices the launcher's death by the closing of its IPC channel.
 * 4. Its output goes straight to the log file. A launcher that is killed does not break its pipe, and a busy log costs
 *    the launcher nothing.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { identifyProcess } from '@spine/database/embedded';
import { REPLACE_EXIT_CODE } from '@spine/observability';
import { nextBackoff } from './backoff.ts';
import { deferred } from './deferred.ts';
import type { ChildRecord } from './lock-record.ts';
import { LogTail } from './log-tail.ts';
import { nodeFlags } from './node-flags.ts';
import { killGroup } from './reap.ts';

export interface ChildSpec {
  readonly name: string;
  /** Program file for Node. */
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** A start that is not ready by then is ended. Default 120 s. */
  readonly readyTimeoutMs?: number;
}

export interface ChildHooks {
  /** A line for the user. */
  readonly say: (text: string) => void;
  /** The process was started or has ended. */
  readonly onChange: () => void;
}

/** What a child says over IPC when it can do its work. */
export interface Ready {
  /** Where it listens, if it does. */
  readonly url: string | undefined;
}

/** A child that ended before it was ready. */
export class ChildStartError extends Error {
  readonly lines: readonly string[];

  constructor(name: string, reason: string, lines: readonly string[], logFile: string) {
    const shown =
      lines.length === 0
        ? 'It wrote nothing.'
        : `Its last lines:\n${lines.map((line) => `  ${line}`).join('\n')}`;
    super(`${name} did not start: ${reason}. ${shown}\nLog: ${logFile}`);
    this.name = 'ChildStartError';
    this.lines = lines;
  }
}

interface Life {
  readonly process: ChildProcess;
  readonly record: ChildRecord | undefined;
  readonly tail: LogTail;
  readonly startedAt: number;
  readonly ready: Promise<Ready>;
  /** How it ended, as a person reads it. */
  readonly ended: Promise<string>;
}

const READY_TIMEOUT_MS = 120_000;
const LAST_LINES = 15;

function wantsReplacement(life: Life): boolean {
  return life.process.exitCode === REPLACE_EXIT_CODE;
}

export class ManagedChild {
  readonly spec: ChildSpec;
  readonly #hooks: ChildHooks;
  #life: Life | undefined;
  #stopping = false;
  #stopped: Promise<'ended' | 'killed'> | undefined;
  #wakeUp: (() => void) | undefined;

  constructor(spec: ChildSpec, hooks: ChildHooks) {
    this.spec = spec;
    this.#hooks = hooks;
  }

  get name(): string {
    return this.spec.name;
  }

  /** The living process, undefined between an end and the next start. */
  get record(): ChildRecord | undefined {
    return this.#life?.record;
  }

  get tail(): LogTail | undefined {
    return this.#life?.tail;
  }

  /**
   * Starts it and waits until it is ready; from then on it is started again whenever it ends.
   * @throws ChildStartError when it ends first.
   */
  async start(): Promise<Ready> {
    const life = this.#spawn();
    const first = await Promise.race([life.ready, life.ended]);
    if (typeof first === 'string') {
      throw new ChildStartError(this.name, first, life.tail.lastLines(LAST_LINES), this.spec.logFile);
    }
    void this.#keepAlive(life);
    return first;
  }

  /**
   * SIGTERM, `graceMs` to end, then SIGKILL. Resolves when the process is gone. A second call joins the first: a second
   * signal would end the process at once.
   */
  stop(graceMs: number): Promise<'ended' | 'killed'> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<'ended' | 'killed'> {
    this.#stopping = true;
    this.#wakeUp?.();
    const life = this.#life;
    if (life === undefined) return 'ended';
    life.process.kill('SIGTERM');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), graceMs);
    });
    const outcome = await Promise.race([life.ended, late]);
    clearTimeout(timer);
    if (outcome !== undefined) return 'ended';
    this.kill();
    await life.ended;
    return 'killed';
  }

  /** SIGKILL now. */
  kill(): void {
    this.#stopping = true;
    const pid = this.#life?.process.pid;
    if (pid !== undefined) killGroup(pid);
  }

  async #keepAlive(first: Life): Promise<void> {
    let startedAt = first.startedAt;
    let how = await first.ended;
    let replace = wantsReplacement(first);
    let wait: number | undefined;
    while (!this.#stopping) {
      wait = nextBackoff(wait, performance.now() - startedAt, replace);
      const ending = replace ? 'made room for a fresh one' : `ended unexpectedly (${how})`;
      this.#hooks.say(
        `${this.name} ${ending}; starting it again in ${wait / 1000} s. Log: ${this.spec.logFile}`,
      );
      await this.#pause(wait);
      if (this.#stopping) return;
      startedAt = performance.now();
      replace = false;
      try {
        const life = this.#spawn();
        void life.ready.then(() => this.#hooks.say(`${this.name} is running again`));
        how = await life.ended;
        replace = wantsReplacement(life);
      } catch (error) {
        // No file descriptor, a full disk: as temporary as any other reason.
        how = (error as Error).message;
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #spawn(): Life {
    if (this.#stopping) throw new Error(`${this.name} is not started: the launcher is stopping`);
    const { name, script, env, logFile } = this.spec;
    const tail = new LogTail(logFile);
    const log = openSync(logFile, 'a', 0o600);
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [...nodeFlags(env['NODE_OPTIONS']), script], {
        env,
        stdio: ['ignore', log, log, 'ipc'],
        detached: true,
      });
    } finally {
      closeSync(log);
    }

    let reason: string | undefined;
    const end = deferred<string>();
    const ready = deferred<Ready>();
    const timeoutMs = this.spec.readyTimeoutMs ?? READY_TIMEOUT_MS;
    const timer = setTimeout(() => {
      reason = `not ready within ${timeoutMs / 1000} s`;
      if (child.pid !== undefined) killGroup(child.pid);
    }, timeoutMs);

    child.on('message', (message: unknown) => {
      if (typeof message !== 'object' || message === null || !('type' in message)) return;
      if (message.type === 'ready') {
        clearTimeout(timer);
        const url = 'url' in message && typeof message.url === 'string' ? message.url : undefined;
        ready.resolve({ url });
      }
    });
    const ended = (how: string): void => {
      clearTimeout(timer);
      if (this.#life?.process === child) this.#life = undefined;
      end.resolve(reason ?? how);
      this.#hooks.onChange();
    };
    child.once('error', (error) => ended(error.message));
    child.once('exit', (code, signal) => ended(signal === null ? `exit code ${code}` : `signal ${signal}`));

    const record = child.pid === undefined ? undefined : { name, ...identifyProcess(child.pid) };
    const life: Life = {
      process: child,
      record,
      tail,
      startedAt: performance.now(),
      ready: ready.promise,
      ended: end.promise,
    };
    this.#life = life;
    this.#hooks.onChange();
    return life;
  }
}
