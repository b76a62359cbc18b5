/**
 * Finds a Redis server program. Plain JavaScript without dependencies, because `scripts/ensure-redis.mjs` asks the
 * same question before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @typedef {object} RedisProgram
 * @property {string} command absolute path of the program
 * @property {string} argv0 the name it has to be started under
 * @property {string} version what it says about itself, e.g. `Redis server v=7.0.15`
 */

/**
 * `redis-check-rdb` and `redis-server` are one program that looks at the name it was started under. Debian's package
 * redis-tools holds it without a system service, which is why it is the one we install.
 *
 * @type {readonly { readonly file: string, readonly argv0: string }[]}
 */
const CANDIDATES = [
  { file: 'redis-server', argv0: 'redis-server' },
  { file: 'valkey-server', argv0: 'valkey-server' },
  { file: 'redis-check-rdb', argv0: 'redis-server' },
];

/**
 * @param {string} path
 * @returns {boolean}
 */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} command
 * @param {string} argv0
 * @returns {string | undefined}
 */
function versionOf(command, argv0) {
  const result = spawnSync(command, ['--version'], { argv0, encoding: 'utf8', timeout: 10_000 });
  return result.status === 0 ? /^\w+ server v=\S+/.exec(result.stdout)?.[0] : undefined;
}

/**
 * The first Redis or Valkey server of a search path that answers to `--version`.
 *
 * @param {string} searchPath folders as in the environment variable PATH
 * @returns {RedisProgram | undefined} undefined when there is none
 */
export function findRedisProgram(searchPath) {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== '');
  for (const { file, argv0 } of CANDIDATES) {
    for (const folder of folders) {
      const command = join(folder, file);
      if (!isExecutable(command)) continue;
      const version = versionOf(command, argv0);
      if (version !== undefined) return { command, argv0, version };
    }
  }
  return undefined;
}

/**
 * True when a container engine answers (the client alone is no engine).
 *
 * @returns {boolean}
 */
export function containerEngineAnswers() {
  const result = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  return result.status === 0 && result.stdout.trim() !== '';
}
