/**
 * Secrets in files of one folder, as container engines mount them.
 *
 * 1. Nothing outside the folder is read: the path is checked as text by the reference, and again after every link was
 * followed (Kubernetes mounts secrets as links within the folder). 2. The file that was checked is the one that is read:
 * one descriptor serves both.
 */
import { open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { Secret } from '../secret.ts';
import { MISSING, SecretAccessError, SecretFormatError, SecretUnavailableError } from './backend.ts';
import type { SecretAnswer, SecretBackend, SecretLocation } from './backend.ts';

const MOST_BYTES = 64 * 1024;
const READABLE_BY_OTHERS = 0o004;
const WRITABLE_BY_MORE = 0o022;

export interface FileSecretOptions {
  /** Absolute. */
  readonly dir: string;
  /** Told once a file that others may read or change. Default: nobody. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
}

export class FileSecretBackend implements SecretBackend {
  readonly name = 'file';
  readonly #dir: string;
  readonly #onWarning: (message: string) => void;
  readonly #warned = new Set<string>();

  constructor({ dir, onWarning }: FileSecretOptions) {
    this.#dir = dir;
    this.#onWarning = onWarning ?? (() => undefined);
  }

  async get({ path }: SecretLocation): Promise<SecretAnswer> {
    const file = await this.#confined(path);
    if (file === null) return MISSING;
    const handle = await opened(file, path);
    if (handle === null) return MISSING;
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new SecretFormatError(`secret:file:${path}: is not a file`);
      if (stats.size > MOST_BYTES) {
        throw new SecretFormatError(`secret:file:${path}: has more than ${MOST_BYTES} bytes`);
      }
      this.#warn(path, stats.mode);
      // Editors and `echo` end a file with a newline that is not the secret's.
      const text = (await handle.readFile('utf8')).replace(/\r?\n$/, '');
      return text === '' ? MISSING : { type: 'found', secret: new Secret(text) };
    } finally {
      await handle.close();
    }
  }

  /** The file behind every link; null when there is none. */
  async #confined(path: string): Promise<string | null> {
    const wanted = resolve(this.#dir, path);
    try {
      if (!isWithin(this.#dir, wanted)) throw outside(path);
      const [dir, file] = await Promise.all([realpath(this.#dir), realpath(wanted)]);
      if (!isWithin(dir, file)) throw outside(path);
      return file;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return null;
      throw error instanceof SecretAccessError ? error : unreadable(path, error);
    }
  }

  #warn(path: string, mode: number): void {
    if (this.#warned.has(path)) return;
    const faults = [
      ...((mode & READABLE_BY_OTHERS) === 0 ? [] : ['read']),
      ...((mode & WRITABLE_BY_MORE) === 0 ? [] : ['changed']),
    ];
    if (faults.length === 0) return;
    this.#warned.add(path);
    this.#onWarning(
      `secret:file:${path} can be ${faults.join(' and ')} by others on this machine (chmod 600)`,
    );
  }
}

function isWithin(dir: string, file: string): boolean {
  const path = relative(dir, file);
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

function outside(path: string): SecretAccessError {
  return new SecretAccessError(`secret:file:${path}: lies outside the folder of secrets`);
}

function unreadable(path: string, error: unknown): SecretAccessError | SecretUnavailableError {
  const code = codeOf(error);
  const message = `secret:file:${path}: cannot be read (${code === '' ? 'unreadable' : code})`;
  return ['EMFILE', 'ENFILE', 'EIO', 'EAGAIN', 'EBUSY'].includes(code)
    ? new SecretUnavailableError(message)
    : new SecretAccessError(message);
}

async function opened(file: string, path: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw unreadable(path, error);
  }
}
