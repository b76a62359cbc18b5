/**
 * Makes sure the tests will find a Redis, and says on one line which. Runs on a bare Node 20, before dependencies are
 * installed. Exit code 0: there is one. Exit code 1: there is none, with what to do about it.
 *
 * Order: SPINE_TEST_REDIS_URL; a server program on PATH; a container engine; on Debian as root, the package redis-tools.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { containerEngineAnswers, findRedisProgram } from '../libs/testing/src/redis/find-redis.mjs';

const CONNECT_TIMEOUT_MS = 5_000;
const APT_TIMEOUT_MS = 300_000;

class Unavailable extends Error {}

/** Resolves when something accepts connections there. */
function reach(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () =>
      socket.destroy(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)),
    );
    socket.once('error', reject);
  });
}

async function givenRedis(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    // The value may hold a password: it is not repeated.
    throw new Unavailable('SPINE_TEST_REDIS_URL must look like redis://host:6379 (or rediss:// for TLS).');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? 6379 : Number(url.port);
  try {
    await reach(host, port);
  } catch (error) {
    throw new Unavailable(
      `SPINE_TEST_REDIS_URL names ${host}:${port}, which does not answer: ${error.message}`,
    );
  }
  return `${host}:${port} (SPINE_TEST_REDIS_URL)`;
}

function aptGet(...args) {
  // Another apt-get (an automatic upgrade) may hold the lock for a while.
  return spawnSync('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    encoding: 'utf8',
    timeout: APT_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/**
 * Installs redis-tools, not redis-server: it holds the same program, and no service that would be started now (on port
 * 6379) and at every boot.
 */
function installWithApt() {
  process.stderr.write('redis: none found, installing the Debian package redis-tools\n');
  // A failed update does not decide: the lists at hand may be good enough, and another apt-get may be updating them.
  const update = aptGet('update');
  const install = aptGet('install', '--no-install-recommends', 'redis-tools');
  if (install.status === 0) return;
  const output = [update, install]
    .filter(({ status }) => status !== 0)
    .map(({ error, stderr }) => error?.message ?? stderr)
    .join('\n');
  const lastLines = output.trim().split('\n').slice(-5).join('\n');
  throw new Unavailable(`apt-get could not install redis-tools:\n${lastLines}`);
}

function programOnPath() {
  const program = findRedisProgram(process.env.PATH ?? '');
  return program && `${program.version} (${program.command})`;
}

async function ensureRedis() {
  const given = process.env.SPINE_TEST_REDIS_URL;
  if (given) return givenRedis(given);

  const present = programOnPath();
  if (present) return present;
  if (containerEngineAnswers()) return 'a container of the engine that `docker info` shows';

  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    installWithApt();
    const installed = programOnPath();
    if (installed) return installed;
    throw new Unavailable('The Debian package redis-tools is installed and holds no Redis server.');
  }
  throw new Unavailable(
    'No Redis was found: no redis-server or valkey-server on PATH, and no container engine.',
  );
}

try {
  process.stdout.write(`redis: ${await ensureRedis()}\n`);
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  process.stderr.write(
    `redis: ${error.message}\n` +
      'The tests need a real Redis. Install one (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), ' +
      'start Docker, or set SPINE_TEST_REDIS_URL to a Redis that tests may write to.\n',
  );
  process.exitCode = 1;
}
