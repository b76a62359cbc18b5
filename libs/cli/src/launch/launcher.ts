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
import type { MigrationReport } from '@spine/database';
import { anyFreePort, isPortFree } from '@spine/database/embedded';
import { chooseApiPort } from './api-port.ts';
import { renderBanner, visitUrl } from './banner.ts';
import { findExampleFile } from './example-file.ts';
import { ServiceFleet, type RestartReport, type Service } from './fleet.ts';
import { takeLock, type LauncherLock } from './lock-file.ts';
import { ChildStartError } from './managed-child.ts';
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

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #logDir: string;
  readonly #fleet: ServiceFleet;
  #lock: LauncherLock | undefined;
  #postgres: PostgresKeeper | undefined;
  #databaseUrl: string | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: LauncherOptions) {
    this.#options = options;
    const { settings, reporter, root, signal } = options;
    this.#logDir = join(settings.dataDir, 'logs');
    this.#fleet = new ServiceFleet({
      root,
      signal,
      logDir: this.#logDir,
      graceMs: this.graceMs,
      say: (text) => reporter.message(text),
      onChange: (children) => this.#lock?.update({ children }),
    });
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
    this.#databaseUrl = database.url;
    await reporter.run(
      'migrate',
      (say) => this.#migrate(database.url, say),
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
    this.#fleet.showErrors();

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

  /** Brings the schema up to date while everything runs. @throws ConfigError when a migration was edited */
  migrate(): Promise<MigrationReport> {
    if (this.#databaseUrl === undefined) throw new Error('the database is not started');
    return this.#migrate(this.#databaseUrl, (detail) => this.#options.reporter.message(`· ${detail}`));
  }

  /** Stops the processes of these services, each draining, and starts them anew. @throws the signal's reason */
  restart(services: ReadonlySet<Service>): Promise<RestartReport> {
    return this.#fleet.restart(services);
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
    this.#fleet.kill();
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
            return this.#fleet.start({ service: 'worker', name: `worker-${number}`, env });
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
      () => this.#fleet.start({ service: 'scheduler', name: 'scheduler', env }),
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
        const env = serviceEnvironment(settings, databaseUrl, { kind: 'api', port });
        await this.#fleet.start({ service: 'api', name: 'api', env });
        return visitUrl(host, port);
      } catch (error) {
        const taken =
          error instanceof ChildStartError && error.lines.some((line) => line.includes('EADDRINUSE'));
        // Somebody took the port between our look and the start.
        if (!taken || attempt === API_PORT_ATTEMPTS) throw error;
      }
    }
  }

  #migrate(databaseUrl: string, say: (detail: string) => void): Promise<MigrationReport> {
    return unlessStopped(
      this.#options.signal,
      prepareSchema(databaseUrl, (name) => say(`applying ${name}`)),
    );
  }

  async #stopAll(): Promise<void> {
    const { settings } = this.#options;
    this.#lock?.update({ state: 'stopping' });
    const since = performance.now();
    await this.#fleet.stop();
    // What the services left of the grace, Postgres may use for its last checkpoint.
    const left = settings.shutdownGraceSeconds - (performance.now() - since) / 1000;
    await this.#postgres?.stop(Math.max(1, left));
    this.#lock?.release();
  }
}
