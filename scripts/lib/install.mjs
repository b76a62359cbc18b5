/** `npm ci` when it is needed: one line on the terminal, everything else in a log. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { installState, writeStamp } from './install-state.mjs';
import { inRoot, ROOT } from './paths.mjs';
import { startProgress } from './progress.mjs';

const LOG_LINES_SHOWN = 25;
const LOCK_POLL_MS = 500;

/** What usually helps, by what npm wrote. */
export function adviceFor(log) {
  if (/can only install packages when your package\.json and package-lock\.json/.test(log)) {
    return 'package.json and package-lock.json disagree: run "npm install" and keep the changed package-lock.json.';
  }
  if (/ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|network/i.test(log)) {
    return 'npm could not reach its registry: check the network, a proxy (HTTPS_PROXY) and "npm config get registry".';
  }
  if (/ENOSPC/.test(log)) return 'The disk is full: free about 1.5 GB.';
  if (/EACCES|EPERM/.test(log)) {
    return `Files below ${ROOT} belong to another user: use that user, or change their owner.`;
  }
  return 'Delete the folder node_modules and run the command again; the whole log says more.';
}

/**
 * npm from the PATH, run by a Node outside node_modules: `npm ci` deletes node_modules, and with it the Node that
 * `npm run` puts first on the PATH.
 */
function npmCommand() {
  const outside = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.endsWith(join('node_modules', '.bin')));
  const env = { ...process.env, PATH: outside.join(delimiter) };
  if (outside.some((folder) => existsSync(join(folder, 'npm')))) return { program: 'npm', first: [], env };
  const running = process.env.npm_execpath;
  if (running !== undefined && basename(running).startsWith('npm')) {
    return { program: process.execPath, first: [running], env: process.env };
  }
  throw new Failure(
    'npm was not found on the PATH. It comes with Node: install Node from https://nodejs.org.',
  );
}

function runNpm(logFile) {
  const { program, first, env } = npmCommand();
  // Development packages are needed to build, whatever NODE_ENV says.
  const args = [...first, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  const log = openSync(logFile, 'w');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', log, log] });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward).on('SIGTERM', forward);
    const settle = () => {
      closeSync(log);
      process.off('SIGINT', forward).off('SIGTERM', forward);
    };
    child.once('error', (error) => (settle(), reject(error)));
    child.once('exit', (code, signal) => (settle(), resolve({ code, signal })));
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two commands started together must not both delete and fill node_modules. */
async function withInstallLock(work) {
  const lock = inRoot('.spine', 'install.lock');
  mkdirSync(dirname(lock), { recursive: true });
  let announced = false;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let holder;
    try {
      holder = Number(readFileSync(lock, 'utf8'));
    } catch {
      continue;
    }
    if (holder > 0 && !isAlive(holder)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!announced) process.stderr.write(`… waiting for the install that process ${holder || '?'} runs\n`);
    announced = true;
    await delay(LOCK_POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Installs the dependencies unless node_modules already holds them. */
export async function ensureInstalled() {
  if (installState(ROOT) === 'fresh') return;
  await withInstallLock(async () => {
    const state = installState(ROOT);
    if (state === 'fresh') return;
    const logFile = inRoot('.spine', 'install.log');
    const progress = startProgress(
      state === 'missing' ? 'installing dependencies (the first time only)' : 'updating dependencies',
    );
    let result;
    try {
      result = await runNpm(logFile);
    } catch (error) {
      progress.end('✗');
      throw new Failure(`npm could not be started: ${error.message}`);
    }
    if (result.code === 0) {
      writeStamp(ROOT);
      progress.end('✓');
      return;
    }
    progress.end('✗');
    if (result.signal) throw new Failure('The install was interrupted; the next start repeats it.', 130);
    const log = readFileSync(logFile, 'utf8');
    const tail = log.trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
    throw new Failure(
      `${tail}\n\nThe install failed (npm ci, exit code ${result.code}).\n${adviceFor(log)}\nLog: ${logFile}`,
    );
  });
}
