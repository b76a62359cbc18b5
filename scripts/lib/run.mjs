import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter } from 'node:path';
import { Failure } from './failure.mjs';
import { inRoot, ROOT } from './paths.mjs';
import { startProgress } from './progress.mjs';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The project's Node and tools first on the PATH, for the programs that start others by name. */
function toolEnvironment(extra) {
  return {
    ...process.env,
    PATH: `${inRoot('node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
    ...extra,
  };
}

/** Exit code as a shell reports it: 128 + signal number for a process ended by a signal. */
export function shellCode(code, signal) {
  return code ?? 128 + (constants.signals[signal] ?? 0);
}

function finished(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(shellCode(code, signal)));
  });
}

async function untilFinished(child) {
  const forward = (signal) => child.kill(signal);
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    return await finished(child);
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

/** Runs a program with this terminal. @returns {Promise<number>} its exit code */
export function runShown(program, args, { env } = {}) {
  return untilFinished(spawn(program, args, { cwd: ROOT, env: toolEnvironment(env), stdio: 'inherit' }));
}

/**
 * As `runShown`, with a channel that closes when this process ends for whatever reason: the program can notice that
 * nobody will forward signals to it any more.
 */
export function runSupervised(program, args) {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: toolEnvironment(),
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  return { child, exitCode: untilFinished(child) };
}

/** Runs a program behind a progress line; its output is shown when it fails. */
export async function runQuiet(label, program, args) {
  const progress = startProgress(label);
  const child = spawn(program, args, {
    cwd: ROOT,
    env: toolEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  const code = await untilFinished(child);
  progress.end(code === 0 ? '✓' : '✗');
  if (code !== 0) {
    throw new Failure(
      `${Buffer.concat(output).toString('utf8').trimEnd()}\n\nfailed: ${label} (exit code ${code})`,
      code,
    );
  }
}
