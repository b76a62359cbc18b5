/**
 * The service processes of a launcher.
 *
 * 1. After the signal was aborted nothing is started.
 * 2. A restart stops a process as the end does, so that its work is drained or handed back, before it starts the next.
 */
import { join } from 'node:path';
import type { ChildRecord } from './lock-record.ts';
import { ChildStartError, ManagedChild } from './managed-child.ts';
import { unlessStopped } from './unless-stopped.ts';

export const SERVICES = ['api', 'worker', 'scheduler'] as const;
export type Service = (typeof SERVICES)[number];

export interface FleetOptions {
  /** Folder of the project, where the services' programs are. */
  readonly root: string;
  readonly logDir: string;
  /** How long a process may take to stop, in milliseconds. */
  readonly graceMs: number;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal;
  /** A line for the user. */
  readonly say: (text: string) => void;
  /** Told of the processes that live, whenever one was started or has ended. */
  readonly onChange: (living: readonly ChildRecord[]) => void;
}

/** Which program, under which name, with which settings. */
export interface FleetMember {
  readonly service: Service;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface RestartReport {
  /** Names of those that are ready again. */
  readonly running: readonly string[];
  /** Those that are down, and stay so until the next restart. */
  readonly failed: readonly { readonly service: Service; readonly error: ChildStartError }[];
}

const LOG_WATCH_MS = 1_000;
const ERRORS_SHOWN = 5;

export class ServiceFleet {
  readonly #options: FleetOptions;
  readonly #members = new Map<string, { readonly member: FleetMember; readonly child: ManagedChild }>();
  #logWatch: NodeJS.Timeout | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /**
   * Starts a process, in place of an earlier one of that name that has ended, and waits until it is ready.
   * @throws ChildStartError, or the signal's reason
   */
  async start(member: FleetMember): Promise<void> {
    const { root, logDir, signal, say, onChange } = this.#options;
    signal.throwIfAborted();
    const { service, name, env } = member;
    const child = new ManagedChild(
      {
        name,
        script: join(root, 'services', service, 'dist', 'main.js'),
        env,
        logFile: join(logDir, `${name}.log`),
      },
      {
        say: (text) => say(`· ${text}`),
        onChange: () => onChange(this.#children().flatMap(({ record }) => record ?? [])),
      },
    );
    this.#members.set(name, { member, child });
    await unlessStopped(signal, child.start());
  }

  /** Stops the processes of these services, each draining, and starts them anew. @throws the signal's reason */
  async restart(services: ReadonlySet<Service>): Promise<RestartReport> {
    const chosen = [...this.#members.values()].filter(({ member }) => services.has(member.service));
    const running: string[] = [];
    const failed: { service: Service; error: ChildStartError }[] = [];
    await Promise.all(
      chosen.map(async ({ member, child }) => {
        await this.#stop(child);
        try {
          await this.start(member);
          running.push(member.name);
        } catch (error) {
          if (!(error instanceof ChildStartError)) throw error;
          failed.push({ service: member.service, error });
        }
      }),
    );
    return { running: running.sort(), failed };
  }

  /** Shows errors that the processes log, from now on. */
  showErrors(): void {
    this.#logWatch ??= setInterval(() => {
      for (const child of this.#children()) this.#showErrorsOf(child);
    }, LOG_WATCH_MS);
  }

  /** Stops them all. */
  async stop(): Promise<void> {
    clearInterval(this.#logWatch);
    await Promise.all(this.#children().map((child) => this.#stop(child)));
  }

  /** Ends them at once. */
  kill(): void {
    for (const child of this.#children()) child.kill();
  }

  #children(): ManagedChild[] {
    return [...this.#members.values()].map(({ child }) => child);
  }

  async #stop(child: ManagedChild): Promise<void> {
    const { graceMs, say } = this.#options;
    if ((await child.stop(graceMs)) === 'ended') return;
    say(`· ${child.name} did not end within ${graceMs / 1000} s and was killed`);
  }

  #showErrorsOf({ name, tail }: ManagedChild): void {
    if (tail === undefined) return;
    const { say } = this.#options;
    const errors = tail.newErrors();
    for (const text of errors.slice(0, ERRORS_SHOWN)) say(`! ${name}: ${text}`);
    if (errors.length > ERRORS_SHOWN) {
      say(`! ${name}: ${errors.length - ERRORS_SHOWN} more errors in ${tail.file}`);
    }
    tail.rotateWhenLarge();
  }
}
