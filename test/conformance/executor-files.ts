import { existsSync, readFileSync } from 'node:fs';

/** The lines a handler has written so far; none when the file is not there. */
export function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
}
