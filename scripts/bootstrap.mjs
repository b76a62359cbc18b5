/**
 * What stands behind npm's start, test, verify and bench: installs what is missing, builds, and runs. Runs on a bare
 * Node 20 before anything is installed, so it is plain JavaScript without dependencies.
 */
import { Failure } from './lib/failure.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { findNode, requireBootstrapNode } from './lib/node-version.mjs';
import { watchNpm } from './lib/npm-parent.mjs';
import { inRoot } from './lib/paths.mjs';
import { runQuiet, runShown, runSupervised } from './lib/run.mjs';

const USAGE = `usage: node scripts/bootstrap.mjs <command> [arguments]

  start    run Spine on this machine
  test     run all tests (arguments go to vitest)
  verify   format check, lint, project references, type check, build, all tests
  bench    run the benchmark
  build    install what is missing and build
`;

const tool = (name) => inRoot('node_modules', '.bin', name);

/** What `npm start` runs; not the tests, so that a half-written test stops nobody from starting. */
const RUNNABLE = [
  'libs/cli/tsconfig.lib.json',
  'services/api/tsconfig.lib.json',
  'services/worker/tsconfig.lib.json',
  'services/scheduler/tsconfig.lib.json',
];

async function start(node, args) {
  await runQuiet('building', node, [tool('tsc'), '-b', ...RUNNABLE]);
  const { child, exitCode } = runSupervised(node, [
    inRoot('libs', 'cli', 'dist', 'main.js'),
    'start',
    ...args,
  ]);
  watchNpm(() => child.kill('SIGTERM'));
  return exitCode;
}

async function build(node) {
  await runQuiet('building', node, [tool('tsc'), '-b']);
  return 0;
}

async function ensureRedis(node) {
  return runShown(node, [inRoot('scripts', 'ensure-redis.mjs')]);
}

async function test(node, args) {
  await build(node);
  const redis = await ensureRedis(node);
  if (redis !== 0) return redis;
  return runShown(node, [tool('vitest'), 'run', ...args]);
}

async function verify(node) {
  const parts = [
    ['format check', [tool('prettier'), '--check', '.']],
    ['lint', [tool('eslint'), '.']],
    ['project references', [tool('nx'), 'sync:check'], { NX_DAEMON: 'false' }],
    ['type check', [tool('tsc'), '-b', '--noEmit']],
    ['build', [tool('tsc'), '-b']],
    ['Redis for the tests', [inRoot('scripts', 'ensure-redis.mjs')]],
    ['tests', [tool('vitest'), 'run']],
  ];
  for (const [name, args, env] of parts) {
    process.stderr.write(`\n── ${name}\n`);
    const code = await runShown(node, args, { env });
    if (code !== 0) throw new Failure(`\nverify failed in: ${name} (exit code ${code})`, code);
  }
  process.stderr.write(`\n✓ verify: ${parts.map(([name]) => name).join(', ')}\n`);
  return 0;
}

async function bench(node, args) {
  await build(node);
  return runShown(node, ['--conditions=@spine/source', inRoot('test', 'bench', 'main.ts'), ...args]);
}

const COMMANDS = { start, test, verify, bench, build };

async function main([command, ...args]) {
  if (!Object.hasOwn(COMMANDS, command ?? '')) {
    throw new Failure(command === undefined ? USAGE : `unknown command "${command}"\n\n${USAGE}`, 2);
  }
  requireBootstrapNode();
  await ensureInstalled();
  return COMMANDS[command](findNode(), args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
