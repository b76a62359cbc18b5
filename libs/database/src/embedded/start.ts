import { resolve } from 'node:path';
import { locateBinaries } from './binaries.ts';
import {
  checkVersion,
  createCluster,
  recoverState,
  takeOwnership,
  writeServerSettings,
  type ClusterContext,
} from './cluster.ts';
import { EmbeddedPostgresError } from './errors.ts';
import { choosePlacement, isCluster } from './placement.ts';
import { anyFreePort, isPortFree, nextFreePort } from './ports.ts';
import { adminConnectionStringFor, connectionStringFor, provision, APPLICATION_NAME } from './provision.ts';
import { renderServerSettings } from './server-settings.ts';
import { clearLeftovers, findPostmaster, prepareLog, startServer, stopServer } from './server.ts';
import { writeState, type ClusterState } from './state.ts';
import type { EmbeddedPostgres, EmbeddedPostgresOptions } from './types.ts';

const PORT_ATTEMPTS = 5;
const STOP_TIMEOUT_SECONDS = 8;

async function choosePort(preferred: number | undefined): Promise<number> {
  if (preferred === undefined) return anyFreePort();
  if (await isPortFree(preferred)) return preferred;
  return (await nextFreePort(preferred + 1)) ?? (await anyFreePort());
}

/**
 * Starts a real Postgres from the npm package's binaries on 127.0.0.1 and waits until it accepts connections.
 * Creates the cluster the first time (UTF8, C locale, data checksums, scram passwords) and reuses it afterwards;
 * a server of the same data directory that outlived its launcher is stopped first. As root the server runs as
 * the system user `postgres`, and the data may have to be relocated below /var/lib/spine (see `dataDir` of the
 * result). One owner per data directory: two concurrent starts of the same one are the caller's mistake.
 *
 * The server survives this process unless `stop()` is called: no exit hooks are installed.
 *
 * @throws EmbeddedPostgresError when it cannot be created or started; the abort reason when `signal` fired.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { durable = true, signal } = options;
  const onProgress = options.onProgress ?? (() => undefined);
  signal?.throwIfAborted();

  const placement = await choosePlacement(resolve(options.dataDir), onProgress);
  const binaries = await locateBinaries({ runAs: placement.runAs, copyDir: placement.copyDir, onProgress });
  const { dataDir, runAs } = placement;
  const context: ClusterContext = { dataDir, runAs, binaries, durable, signal };
  const logFile = `${dataDir}.log`;

  const startedNew = !isCluster(dataDir);
  let state: ClusterState;
  if (startedNew) {
    onProgress(`creating the database cluster in ${dataDir} (Postgres ${binaries.version})`);
    state = await createCluster(context);
  } else {
    await checkVersion(context);
    await takeOwnership(context);
    if ((await clearLeftovers(context)) === 'stopped') {
      onProgress('stopped the Postgres that an earlier start left running');
    }
    state = await recoverState(context);
  }

  signal?.throwIfAborted();
  const server = await startOnSomePort(context, logFile, state, options);
  onProgress(`Postgres ${binaries.version} listens on 127.0.0.1:${server.port}`);

  let stopping: Promise<void> | undefined;
  const stop: EmbeddedPostgres['stop'] = ({ timeoutSeconds = STOP_TIMEOUT_SECONDS } = {}) => {
    stopping ??= stopServer({ ...context, signal: undefined }, server.pid, timeoutSeconds);
    return stopping;
  };

  try {
    await provision(state, server.port);
    signal?.throwIfAborted();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    connectionString: connectionStringFor(APPLICATION_NAME, state.password, server.port, APPLICATION_NAME),
    adminConnectionString: adminConnectionStringFor(state, server.port),
    port: server.port,
    dataDir,
    logFile,
    pid: server.pid,
    startedNew,
    stop,
  };
}

async function startOnSomePort(
  context: ClusterContext,
  logFile: string,
  state: ClusterState,
  options: EmbeddedPostgresOptions,
): Promise<{ port: number; pid: number }> {
  const { durable = true, settings = {} } = options;
  await prepareLog(context, logFile);
  let preferred = options.port ?? state.port ?? undefined;
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt++) {
    const port = await choosePort(preferred);
    await writeServerSettings(context, renderServerSettings({ port, durable, extra: settings }));
    const outcome = await startServer(context, logFile);
    switch (outcome.kind) {
      case 'started':
        await writeState(context.dataDir, { ...state, port }, context.runAs);
        return { port, pid: outcome.pid };
      case 'failed':
        throw new EmbeddedPostgresError(
          `Postgres did not start (log: ${logFile}, data: ${context.dataDir}):\n${outcome.reason}`,
        );
      case 'port_taken':
        // Somebody took it between our look and the start.
        preferred = undefined;
    }
  }
  throw new EmbeddedPostgresError(`No free TCP port was found for Postgres in ${PORT_ATTEMPTS} attempts`);
}

/** Pid of the Postgres that serves this data directory now, started by whomever; undefined when none does. */
export { findPostmaster as findEmbeddedPostgres };
