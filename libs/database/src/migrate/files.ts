import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, sha256Hex } from '@spine/core';

export interface MigrationFile {
  /** The number in front of the file name; applied in this order. */
  readonly version: number;
  /** File name with its number, e.g. `0001_runs.sql`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the text with line ends normalised: a checkout with CRLF must not look like an edited migration. */
  readonly checksum: string;
}

const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** The `migrations` folder of the project this module runs in, found from source, from dist and from an image alike. */
export function findMigrationsDir(from: string = dirname(fileURLToPath(import.meta.url))): string {
  for (let dir = from; ; dir = dirname(dir)) {
    const candidate = join(dir, 'migrations');
    if (existsSync(join(candidate, '0001_runs.sql'))) return candidate;
    if (dirname(dir) === dir) throw new ConfigError(`no migrations folder above ${from}`);
  }
}

/**
 * Reads the numbered migrations of a folder in order.
 *
 * @throws ConfigError for a file name that is not `NNNN_name.sql`, for a number used twice and for a gap.
 */
export function readMigrations(dir: string): MigrationFile[] {
  const files = readdirSync(dir)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name): MigrationFile => {
      const version = FILE_NAME.exec(name)?.[1];
      if (version === undefined) {
        throw new ConfigError(`migration ${name}: the name must look like 0001_what_it_does.sql`);
      }
      const sql = readFileSync(join(dir, name), 'utf8').replaceAll('\r\n', '\n');
      return { version: Number(version), name, sql, checksum: sha256Hex(sql) };
    });
  files.forEach((file, index) => {
    if (file.version !== index + 1) {
      throw new ConfigError(`migration ${file.name}: expected number ${String(index + 1).padStart(4, '0')}`);
    }
  });
  return files;
}
