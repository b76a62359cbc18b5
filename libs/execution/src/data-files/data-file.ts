/**
 * Opens the one file a caller may name.
 *
 * 1. A file is inside a data root when its real path is, with every symbolic link of both resolved.
 * 2. Every refusal reads the same, so an answer never tells whether something exists outside the data roots.
 * 3. What is checked is what is read: the type is that of the open handle, and every pass reads that handle.
 * 4. Opening never waits: a FIFO without a writer would hold a thread for ever.
 *
 * Whoever may write into a data root is trusted; the caller who names a file is not.
 */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { truncateText, ValidationError } from '@spine/core';

/** An open file. The caller closes its handle. */
export interface DataFile {
  readonly handle: FileHandle;
  /** Base name of the real path. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
}

const READ_BYTES = 64 * 1024;

/** The file is not there for the caller: missing, not readable, not reachable, or of a kind that cannot be opened. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENAMETOOLONG', 'ENXIO', 'EISDIR']);

/** What is wrong with the text of a path, before any file is looked at; null when nothing is. */
export function pathProblem(filePath: string): string | null {
  if (filePath === '') return 'is empty';
  if (filePath.includes('\0')) return 'holds a NUL character';
  if (filePath.split(/[/\\]/).includes('..')) return "holds a '..' segment";
  return null;
}

/**
 * Opens a file inside the data roots for reading. A relative path is looked for in each root in turn. A root that does
 * not exist holds no file.
 *
 * @throws ValidationError naming `file_path` when there is no such file, it is not a regular file, it lies outside the
 * roots, or it is larger than `maxBytes`.
 */
export async function openDataFile(
  filePath: string,
  dataRoots: readonly string[],
  maxBytes: number,
): Promise<DataFile> {
  const problem = pathProblem(filePath);
  if (problem !== null) throw refusal(filePath, 'invalid_path', problem);
  const roots: string[] = [];
  for (const root of dataRoots) {
    const real = await ifPresent(realpath(resolve(root)));
    if (real !== null) roots.push(real);
  }
  const candidates = isAbsolute(filePath) ? [filePath] : roots.map((root) => resolve(root, filePath));
  for (const candidate of candidates) {
    const real = await ifPresent(realpath(candidate));
    if (real === null || !roots.some((root) => isInside(root, real))) continue;
    const file = await openRegular(real);
    if (file === null) continue;
    if (file.size <= maxBytes) return file;
    await file.handle.close();
    throw refusal(filePath, 'too_large', `has ${file.size} bytes; at most ${maxBytes} are allowed`);
  }
  const rule =
    'names no regular file inside the data roots; allowed are paths relative to a data root, or absolute ones in it';
  throw refusal(filePath, 'not_in_data_roots', rule);
}

/**
 * The file from its start, whatever was read of it before. All pieces share one buffer: a piece is good until the next
 * one is asked for, and who keeps any of it keeps a copy.
 */
export async function* readBytes({ handle }: DataFile): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

async function openRegular(real: string): Promise<DataFile | null> {
  const handle = await ifPresent(
    open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW),
  );
  if (handle === null) return null;
  try {
    const stats = await handle.stat();
    if (stats.isFile()) return { handle, name: basename(real), size: stats.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return null;
}

/** Null for a file that is absent; faults of the machine are thrown, and may pass. */
async function ifPresent<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code === 'string' && ABSENT.has(code)) return null;
    throw error;
  }
}

function refusal(filePath: string, code: string, message: string): ValidationError {
  return new ValidationError(`file_path: ${JSON.stringify(truncateText(filePath, 200))} ${message}`, {
    issues: [{ field: 'params.file_path', code, message }],
  });
}
