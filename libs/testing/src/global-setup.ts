/**
 * Starts what the tests need, once per run, and ends it afterwards.
 *
 * 1. Whatever was started is ended in reverse order, after the tests and when a later part of the start fails. When the
 *    run is interrupted or killed, the keeper ends it; when that is killed too, the next run. Nothing else is ended.
 * 2. A server given by URL is used, never stopped; what the run made on it is removed.
 * 3. A missing server fails the run. No test is skipped for it.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runMigrations } from '@spine/database';
import { startEmbeddedPostgres } from '@spine/database/embedded';
import type { TestProject } from 'vitest/node';
import { checkPostgres, createTemplate, dropDatabases } from './postgres/databases.ts';
import type { TestServers } from './provided.ts';
import { checkRedis, releaseDatabases } from './redis/databases.ts';
import { startRedisServer } from './redis/server.ts';
import { makeMemoryFolder } from './servers/memory-folder.ts';
import {
  postgresDirectory,
  reapAbandonedServers,
  recordServer,
  removeRunDirectory,
  runDirectory,
} from './servers/run-directory.ts';

type Undo = () => Promise<unknown>;

/** vitest's `globalSetup`: provides `spineServers` to the test files and returns the tear-down. */
export async function globalSetup(project: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const undos: Undo[] = [];
  try {
    project.provide('spineServers', await startServers(undos));
  } catch (error) {
    await undo(undos, [error]);
  }
  return () => undo(undos, []);
}

export default globalSetup;

async function startServers(undos: Undo[]): Promise<TestServers> {
  await reapAbandonedServers();
  undos.push(startKeeper());
  // Also removes what test files that were ended half-way have left.
  undos.push(reapAbandonedServers, removeRunDirectory);

  const runId = randomBytes(4).toString('hex');
  const redis = await provideRedis(undos);
  await checkRedis(redis);
  undos.push(() => releaseDatabases(redis, runId));
  const postgres = await providePostgres(undos);
  await checkPostgres(postgres);
  undos.push(() => dropDatabases(postgres, runId));
  const template = await createTemplate(postgres, runId, (connectionString) =>
    runMigrations({ connectionString }),
  );
  return { runId, postgres, template, redis };
}

function startKeeper(): Undo {
  const here = fileURLToPath(import.meta.url);
  const program = join(dirname(here), 'servers', `keeper${extname(here)}`);
  const child = spawn(process.execPath, ['--conditions=@spine/source', program], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without it only the next run cleans up.
  child.once('error', (error) =>
    console.warn(`the tests run without the keeper of their servers: ${error.message}`),
  );
  child.unref();
  return () => Promise.resolve(child.kill('SIGKILL'));
}

async function provideRedis(undos: Undo[]): Promise<string> {
  const given = process.env['SPINE_TEST_REDIS_URL'];
  if (given) return given;
  const server = await startRedisServer();
  undos.push(() => server.stop());
  return server.url;
}

async function providePostgres(undos: Undo[]): Promise<string> {
  const given = process.env['SPINE_TEST_DATABASE_URL'];
  if (given) return given;
  makeMemoryFolder(runDirectory());
  const server = await startEmbeddedPostgres({
    dataDir: postgresDirectory(runDirectory()),
    durable: false,
    // Many test files with pools of their own; little memory for databases of a few rows, and for a log nobody reads.
    settings: { max_connections: '400', shared_buffers: '64MB', max_wal_size: '256MB' },
  });
  recordServer(server.pid, 'SIGQUIT');
  undos.push(async () => {
    await server.stop();
    // It is outside the run directory when Postgres could not reach that.
    await rm(server.dataDir, { recursive: true, force: true });
  });
  return server.connectionString;
}

/** Runs every undo, the last one first; throws what they and the caller collected. */
async function undo(undos: Undo[], errors: unknown[]): Promise<void> {
  for (let next = undos.pop(); next !== undefined; next = undos.pop()) {
    try {
      await next();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1)
    throw new AggregateError(errors, `the test servers: ${errors.map(String).join('; ')}`);
}
