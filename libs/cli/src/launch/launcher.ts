/**
 * `spine start`: everything on this machine, as children of one process.
 *
 * 1. One launcher per data directory (lock-file.ts); what an earlier one left behind is ended first.
 * 2. Every process is stopped by `stop()`, wherever the start was interrupted; after it began nothing is started.
 * 3. Postgres stops last: the services hand their work back to it.
 */
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Settings } from '@spine/config';
import { anyFreePort, isPortFree } from '@spine/database/embedded';
import { chooseApiPort } from './api-port.ts';
import { renderBanner, visitUrl } from './banner.ts';
import { findExampleFile } from './example-file.ts';
import { takeLock, type LauncherLock } from './lock-file.ts';
import { ChildStartError, ManagedChild, type ChildSpec } from './managed-child.ts';
import { PostgresKeeper } from './postgres-keeper.ts';
import { prepareQueue, type QueueBackend } from './queue.ts';
import { reapProcesses } from './reap.ts';
import { databaseAddress, prepareSchema } from './schema.ts';
import { serviceEnvironment } from './service-environment.ts';
import type { StageReporter } from './stages.ts';
import { unlessStopped } from './unless-stopped.ts';
import { untilReady } from './until-ready.ts';

export interface LauncherOptions {
  readonly settings: Settings<'launcher'>;
  readonly reporter: StageReporter;
  /** Folder of the project, where the services' programs are. */
  readonly root: string;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal;
}

const API_PORT_ATTEMPTS = 3;
const LOG_WATCH_MS = 1_000;
const ERRORS_SHOWN = 5;

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #logDir: string;
  readonly #children: ManagedChild[] = [];
  #lock: LauncherLock | undefined;
  #postgres: PostgresKeeper | undefined;
  #logWatch: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#logDir = join(options.settings.dataDir, 'logs');
  }

  /**
   * Starts everything and returns the banner.
   * @throws ConfigError, EmbeddedPostgresError or ChildStartError with what to do; the signal's reason when stopped.
   */
  async start(): Promise<string> {
    const { settings, reporter, signal } = this.#options;
    const since = performance.now();

    await reporter.run(
      'config',
      () => this.#prepare(),
      () => `data in ${settings.dataDir}`,
    );
    const database = await this.#startDatabase();
    await reporter.run(
      'migrate',
      (say) =>
        unlessStopped(
          signal,
          prepareSchema(database.url, (name) => say(`applying ${name}`)),
        ),
      ({ applied, version }) =>
        `${applied.length === 0 ? 'nothing to do' : `${applied.length} applied`}, schema version ${version}`,
    );
    const queue: QueueBackend = await reporter.run(
      'queue',
      () =>
        unlessStopped(
          signal,
          prepareQueue({ databaseUrl: database.url, redisUrl: settings.redis.url?.reveal() }),
        ),
      (backend) => `BullMQ on ${backend}`,
    );

    const url = await this.#startServices(database.url);
    await reporter.run(
      'ready',
      () => untilReady(url, signal),
      () => `${url}/health/ready answers`,
    );
    this.#lock?.update({ state: 'running', url });
    this.#logWatch = setInterval(() => this.#showErrors(), LOG_WATCH_MS);

    return renderBanner({
      url,
      open: settings.api.open,
      workers: settings.worker.count,
      queue,
      dataDir: settings.dataDir,
      databaseDir:
        database.dir === undefined || !relative(settings.dataDir, database.dir).startsWith('..')
          ? undefined
          : database.dir,
      logDir: this.#logDir,
      finraFile: findExampleFile(settings.dataRoots),
      elapsedMs: performance.now() - since,
    });
  }

  /** Stops everything, Postgres last, and gives up the lock. Safe to call at any time and more than once. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** How long the services may take to stop, in milliseconds. */
  get graceMs(): number {
    return this.#options.settings.shutdownGraceSeconds * 1000;
  }

  /** Ends the services at once; `stop()` then has only Postgres to wait for. */
  killServices(): void {
    for (const child of this.#children) child.kill();
  }

  async #prepare(): Promise<void> {
    const { settings, reporter } = this.#options;
    for (const warning of settings.warnings) reporter.message(`· ${warning}`);
    this.#lock = await takeLock(settings.dataDir);
    mkdirSync(this.#logDir, { recursive: true });
    const { leftovers } = this.#lock;
    if (leftovers.length === 0) return;
    reporter.message(
      `· ending ${leftovers.map(({ name, pid }) => `${name} (${pid})`).join(', ')} of an earlier start`,
    );
    await reapProcesses(leftovers, settings.shutdownGraceSeconds * 1000);
    this.#lock.update({ children: [] });
  }

  async #startDatabase(): Promise<{ url: string; dir: string | undefined }> {
    const { settings, reporter, signal } = this.#options;
    const given = settings.database.url?.reveal();
    if (given !== undefined) {
      return reporter.run(
        'postgres',
        () => Promise.resolve({ url: given, dir: undefined }),
        () => `${databaseAddress(given)} (SPINE_DATABASE_URL)`,
      );
    }
    const keeper = new PostgresKeeper(settings.dataDir, (text) => reporter.message(`· ${text}`));
    this.#postgres = keeper;
    const server = await reporter.run(
      'postgres',
      (say) => keeper.start(say, signal),
      ({ port, startedNew }) =>
        `embedded, 127.0.0.1:${port}, ${startedNew ? 'new database' : 'existing database'}`,
    );
    return { url: server.connectionString, dir: server.dataDir };
  }

  /** @returns the API's URL */
  async #startServices(databaseUrl: string): Promise<string> {
    const { settings, reporter } = this.#options;
    const url = await reporter.run(
      'api',
      (say) => this.#startApi(databaseUrl, say),
      (address) => `${address}${settings.api.open ? ' (local mode: open, no key is asked for)' : ''}`,
    );
    const { count, concurrency, lanes } = settings.worker;
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    await reporter.run(
      'workers',
      () =>
        Promise.all(
          numbers.map((number) => {
            const env = serviceEnvironment(settings, databaseUrl, { kind: 'worker', number });
            return this.#startChild('worker', `worker-${number}`, env);
          }),
        ),
      () =>
        count === 0
          ? 'none (SPINE_WORKERS=0): runs stay queued'
          : `${count} x ${concurrency} runs, lanes ${lanes.join(', ')}`,
    );
    const env = serviceEnvironment(settings, databaseUrl, { kind: 'scheduler' });
    await reporter.run(
      'scheduler',
      () => this.#startChild('scheduler', 'scheduler', env),
      () => 'relay and reaper',
    );
    return url;
  }

  async #startApi(databaseUrl: string, say: (text: string) => void): Promise<string> {
    const { settings } = this.#options;
    const { host, port: wished, portIsExplicit } = settings.api;
    for (let attempt = 1; ; attempt++) {
      const { port, note } = await chooseApiPort(
        { host, port: wished, explicit: portIsExplicit },
        { isPortFree, anyFreePort },
      );
      if (note !== undefined) say(note);
      try {
        await this.#startChild(
          'api',
          'api',
          serviceEnvironment(settings, databaseUrl, { kind: 'api', port }),
        );
        return visitUrl(host, port);
      } catch (error) {
        const taken =
          error instanceof ChildStartError && error.lines.some((line) => line.includes('EADDRINUSE'));
        // Somebody took the port between our look and the start.
        if (!taken || attempt === API_PORT_ATTEMPTS) throw error;
      }
    }
  }

  #startChild(service: string, name: string, env: Record<string, string>) {
    const { root, signal, reporter } = this.#options;
    signal.throwIfAborted();
    const spec: ChildSpec = {
      name,
      script: join(root, 'services', service, 'dist', 'main.js'),
      env,
      logFile: join(this.#logDir, `${name}.log`),
    };
    const child = new ManagedChild(spec, {
      say: (text) => reporter.message(`· ${text}`),
      onChange: () => this.#recordChildren(),
    });
    const previous = this.#children.findIndex((other) => other.name === name);
    if (previous >= 0) this.#children.splice(previous, 1);
    this.#children.push(child);
    return unlessStopped(signal, child.start());
  }

  #recordChildren(): void {
    this.#lock?.update({ children: this.#children.flatMap((child) => child.record ?? []) });
  }

  #showErrors(): void {
    for (const child of this.#children) {
      const { tail } = child;
      if (tail === undefined) continue;
      const errors = tail.newErrors();
      for (const text of errors.slice(0, ERRORS_SHOWN))
        this.#options.reporter.message(`! ${child.name}: ${text}`);
      if (errors.length > ERRORS_SHOWN) {
        this.#options.reporter.message(
          `! ${child.name}: ${errors.length - ERRORS_SHOWN} more errors in ${tail.file}`,
        );
      }
      tail.rotateWhenLarge();
    }
  }

  async #stopAll(): Promise<void> {
    const { settings, reporter } = this.#options;
    clearInterval(this.#logWatch);
    this.#lock?.update({ state: 'stopping' });
    const since = performance.now();
    await Promise.all(
      this.#children.map(async (child) => {
        if ((await child.stop(this.graceMs)) === 'killed') {
          reporter.message(
            `· ${child.name} did not end within ${settings.shutdownGraceSeconds} s and was killed`,
          );
        }
      }),
    );
    // What the services left of the grace, Postgres may use for its last checkpoint.
    const left = settings.shutdownGraceSeconds - (performance.now() - since) / 1000;
    await this.#postgres?.stop(Math.max(1, left));
    this.#lock?.release();
  }
}
