/** `spine db backup`: the whole database by `pg_dump`, into a file that was not there before. */
import { resolve } from 'node:path';
import { childEnvironment } from '@spine/config';
import { assertNever, OperationError } from '@spine/core';
import { backupDatabase, createPool, inspectServer } from '@spine/database';
import type { ServerFacts } from '@spine/database';
import type { CliContext } from '../frame/context.ts';
import { EXIT } from '../frame/exit-codes.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { UsageError } from '../frame/usage-error.ts';
import type { LocalDatabase } from './target.ts';

const INSTALL =
  'install the client programs of PostgreSQL (Debian: apt-get install postgresql-client-<version>), or name one with --pg-dump';

async function serverOf(connectionString: string): Promise<ServerFacts> {
  const pool = createPool({ connectionString, role: null, max: 1, applicationName: 'spine-db-backup' });
  try {
    return await inspectServer(pool);
  } finally {
    await pool.end();
  }
}

/** @param program default: pg_dump of the PATH. @throws UsageError, OperationError, Interrupted */
export async function writeBackup(
  { connectionString, address }: LocalDatabase,
  { file, program }: { readonly file: string; readonly program: string | undefined },
  { io, out, notices, signal }: CliContext,
): Promise<ExitCode> {
  const path = resolve(io.cwd, file);
  const { versionNumber } = await serverOf(connectionString);
  notices.progress(`writing ${path} …`);
  const outcome = await backupDatabase({
    connectionString,
    file: path,
    program,
    path: childEnvironment({}, io.env)['PATH'],
    serverVersion: versionNumber,
    signal,
  });
  notices.done();
  switch (outcome.type) {
    case 'done': {
      const { bytes, durationMs } = outcome;
      await out.answer(
        { address, file: path, bytes, duration_ms: durationMs },
        () => `${address} is in ${path} (${bytes} bytes); pg_restore reads it\n`,
      );
      return EXIT.ok;
    }
    case 'no_program':
      throw new UsageError(`${outcome.program} was not found on this machine`, { fix: INSTALL });
    case 'too_old':
      throw new UsageError(
        `${outcome.program} is of version ${outcome.version}, older than the server's ${outcome.server}, which it refuses`,
        { fix: INSTALL },
      );
    case 'exists':
      throw new UsageError(`${path} exists: a backup overwrites nothing`, { fix: 'give another name' });
    case 'not_writable':
      throw new UsageError(`${path} cannot be written: ${outcome.why}`);
    case 'aborted':
      signal.throwIfAborted();
      return EXIT.failed;
    case 'failed':
      throw new OperationError(`pg_dump has failed: ${outcome.why}`);
    default:
      return assertNever(outcome);
  }
}
