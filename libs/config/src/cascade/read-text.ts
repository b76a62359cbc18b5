/** Reading configuration files: small texts that may be missing, and whose contents no error quotes. */
import { readFileSync, statSync } from 'node:fs';
import { ConfigError } from '@spine/core';

const MOST_BYTES = 1024 * 1024;

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unreadable';
}

/**
 * The text of a file; undefined when there is none.
 * @throws ConfigError for one that is no file, cannot be read, or has more than 1 MiB.
 */
export function readOptionalText(path: string): string | undefined {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new ConfigError(`${path}: is not a file`);
    if (stats.size > MOST_BYTES) {
      throw new ConfigError(`${path}: has ${stats.size} bytes; allowed: up to ${MOST_BYTES}`);
    }
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ConfigError(`${path}: cannot be read (${code})`);
  }
}
