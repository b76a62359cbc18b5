/**
 * One supervised process of the system under test.
 *
 * 1. At most one process of it runs at any time.
 * 2. A process that ends without having been told to is started again, as a launcher does, and counted as a crash.
 * 3. After `end` none runs and none will be started, whatever state it was in: SIGKILL also ends a frozen one.
 * 4. Every process is recorded before it is used: whoever cleans up after a killed harness finds it.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { forgetServer, recordServer, TestInfrastructureError, waitFor } from '@spine/testing';

export interface ProcessPlan {
  readonly name: string;
  /** The program, an absolute path. */
  readonly entry: string;
  /** Asked before every start: a port that is taken by then is another one at the next. */
  readonly env: () => Promise<Readonly<Record<string, string>>>;
  /** What it writes is appended here. */
  readonly logFile: string;
}

export interface ProcessEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** True when it did not end in time and was killed. */
  readonly forced: boolean;
}

const RESPAWN_MS = 200;
const START_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 30_000;

export class ManagedProcess {
  readonly name: string;
  readonly #plan: ProcessPlan;
  #nodeArgs: readonly string[] = [];
  #moreEnv: Readonly<Record<string, string>> = {};
  #child: ChildProcess | null = null;
  #ready: Readonly<Record<string, unknown>> | null = null;
  #wanted = false;
  #loop: Promise<number | null> = Promise.resolve(null);
  #starts = 0;
  #crashes = 0;

  constructor(plan: ProcessPlan) {
    this.name = plan.name;
    this.#plan = plan;
  }

  /** Undefined while it is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What it said when it was ready; null while it is not. */
  get ready(): Readonly<Record<string, unknown>> | null {
    return this.#ready;
  }

  /** Starts after the first one, for whatever reason. */
  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** Ends that nobody asked for. */
  get crashes(): number {
    return this.#crashes;
  }

  /** From the next start on: arguments of Node itself, and variables over those of the plan. */
  use(more: {
    readonly nodeArgs?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  }): void {
    this.#nodeArgs = more.nodeArgs ?? [];
    this.#moreEnv = more.env ?? {};
  }

  /** Makes it run and waits until it is ready. Does nothing to one that runs. */
  async start(): Promise<void> {
    if (!this.#wanted) {
      this.#wanted = true;
      this.#loop = this.#supervise();
    }
    await waitFor(() => this.#ready !== null || !this.#wanted, {
      timeoutMs: START_TIMEOUT_MS,
      message: `${this.name} to be ready; its log is ${this.#plan.logFile}`,
    });
  }

  /** Sends a signal to the process, if there is one. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it with a signal and waits until it is gone; it stays down until `start`. */
  async end(signal: NodeJS.Signals = 'SIGKILL', withinMs = END_TIMEOUT_MS): Promise<ProcessEnd> {
    this.#wanted = false;
    const child = this.#child;
    let forced = false;
    const timer = setTimeout(() => {
      forced = true;
      child?.kill('SIGKILL');
    }, withinMs);
    child?.kill(signal);
    const code = await this.#loop;
    clearTimeout(timer);
    return { code, forced };
  }

  async restart(): Promise<void> {
    await this.end();
    await this.start();
  }

  async #supervise(): Promise<number | null> {
    let code: number | null = null;
    while (this.#wanted) {
      code = await this.#runOnce();
      if (!this.#wanted) break;
      this.#crashes += 1;
      await sleep(RESPAWN_MS);
    }
    return code;
  }

  async #runOnce(): Promise<number | null> {
    const { entry, env, logFile } = this.#plan;
    const child = fork(entry, {
      env: { PATH: process.env['PATH'] ?? '', ...(await env()), ...this.#moreEnv },
      execArgv: [...this.#nodeArgs],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const { pid } = child;
    if (pid === undefined) throw new TestInfrastructureError(`${this.name} could not be started`);
    recordServer(pid, 'SIGKILL');
    this.#starts += 1;
    this.#child = child;
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.on('message', (message: unknown) => {
      if (isReady(message)) this.#ready = message;
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    this.#child = null;
    this.#ready = null;
    forgetServer(pid);
    log.end();
    return code;
  }
}

function isReady(message: unknown): message is Readonly<Record<string, unknown>> {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}
