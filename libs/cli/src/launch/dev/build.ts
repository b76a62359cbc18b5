/** Compiling the services and all they import, by the project's own TypeScript. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@spine/core';
import { SERVICES } from '../fleet.ts';
import { killGroup } from '../reap.ts';

export type BuildOutcome =
  | { readonly type: 'built' }
  /** What runs goes on as it was. */
  | { readonly type: 'broken'; readonly errors: number; readonly lines: readonly string[] };

/** Lines of the compiler that are shown. */
const SHOWN = 20;

/** What the compiler says is wrong: how many errors, and the first lines of it. Pure. */
export function errorsIn(output: string): { readonly errors: number; readonly lines: readonly string[] } {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /\berror TS\d+:/.test(line)).length;
  const more = lines.length - SHOWN;
  return { errors, lines: more > 0 ? [...lines.slice(0, SHOWN), `… and ${more} more lines`] : lines };
}

/**
 * Compiles what has changed since the last time.
 * @throws ConfigError where there is no compiler, the signal's reason
 */
export async function buildServices(root: string, signal: AbortSignal): Promise<BuildOutcome> {
  const compiler = join(root, 'node_modules', '.bin', 'tsc');
  if (!existsSync(compiler)) {
    throw new ConfigError(`${compiler} is not there: install the project's packages first (npm ci)`);
  }
  signal.throwIfAborted();
  const projects = SERVICES.map((service) => join('services', service, 'tsconfig.lib.json'));
  // A group of its own: the compiler is a program that starts another, and both end with Ctrl-C.
  const child = spawn(process.execPath, [compiler, '-b', '--pretty', 'false', ...projects], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const stop = (): void => {
    if (child.pid !== undefined) killGroup(child.pid);
  };
  signal.addEventListener('abort', stop, { once: true });
  let output = '';
  const collect = (chunk: string): void => void (output += chunk);
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal.throwIfAborted();
    return code === 0 ? { type: 'built' } : { type: 'broken', ...errorsIn(output) };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
