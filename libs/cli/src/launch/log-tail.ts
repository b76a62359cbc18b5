/** Reads what a child wrote to its log file: its errors while it runs, its last lines when it ended. */
import { closeSync, copyFileSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

/** More than this since the last look is skipped: showing errors must never cost as much as making them. */
const READ_LIMIT = 256_000;
const ROTATE_BYTES = 50_000_000;
const ERROR_LEVELS: ReadonlySet<unknown> = new Set(['error', 'fatal', 50, 60]);

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** One JSON log line of level error or fatal as a person reads it; undefined for every other line. */
export function formatErrorLine(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined;
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { level, msg, err } = entry as Record<string, unknown>;
  if (!ERROR_LEVELS.has(level)) return undefined;
  const cause = typeof err === 'object' && err !== null && 'message' in err ? textOf(err.message) : undefined;
  const message = textOf(msg);
  const parts = [message, cause === message ? undefined : cause].filter((part) => part !== undefined);
  return parts.length === 0 ? 'an error without a message' : parts.join(': ');
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

function readFrom(file: string, from: number, limit: number): string {
  const fd = openSync(file, 'r');
  try {
    const length = Math.min(Math.max(0, fstatSync(fd).size - from), limit);
    const buffer = Buffer.alloc(length);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, length, from));
  } finally {
    closeSync(fd);
  }
}

export class LogTail {
  readonly file: string;
  #begin: number;
  #offset: number;

  /** Looks at what is written from now on. */
  constructor(file: string) {
    this.file = file;
    this.#begin = sizeOf(file);
    this.#offset = this.#begin;
  }

  /** Errors written since the last call, formatted, oldest first. */
  newErrors(): string[] {
    const size = sizeOf(this.file);
    if (size <= this.#offset) {
      if (size < this.#offset) this.#offset = size;
      return [];
    }
    const from = Math.max(this.#offset, size - READ_LIMIT);
    const text = readFrom(this.file, from, size - from);
    const complete = text.lastIndexOf('\n') + 1;
    this.#offset = from + Buffer.byteLength(text.slice(0, complete));
    return text
      .slice(0, complete)
      .split('\n')
      .flatMap((line) => formatErrorLine(line) ?? []);
  }

  /** The last lines written since this object was made. */
  lastLines(count: number): string[] {
    const size = sizeOf(this.file);
    if (size <= this.#begin) return [];
    const from = Math.max(this.#begin, size - READ_LIMIT);
    return readFrom(this.file, from, size - from)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-count);
  }

  /**
   * Sets a large log aside as `<file>.1` and empties it. Copied, not renamed: the child keeps the file open, and
   * opened for appending it goes on at the new end.
   */
  rotateWhenLarge(limit = ROTATE_BYTES): boolean {
    if (sizeOf(this.file) <= limit) return false;
    copyFileSync(this.file, `${this.file}.1`);
    truncateSync(this.file);
    this.#begin = 0;
    this.#offset = 0;
    return true;
  }
}
