/**
 * What stands behind npm's start, dev, test, verify, bench and chaos: installs what is missing, builds, and runs. Runs on a bare
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
  dev      the same, and compile and restart what changes
  test     run all tests (arguments go to vitest)
  verify   format check, lint, project references, type check, build, all tests
  bench    run the benchmark
  chaos    run the real processes under real faults and prove that nothing is lost
  build    install what is missing and build what start runs
`;

const tool = (name) => inRoot('node_modules', '.bin', name);

/** What runs, with everything it uses; not the tests, so that a half-written one stops nobody from starting. */
const RUNNABLE = [
  'libs/cli/tsconfig.lib.json',
  'services/api/tsconfig.lib.json',
  'services/worker/tsconfig.lib.json',
  'services/scheduler/tsconfig.lib.json',
];

/** What `spine dev` itself is: it compiles the services, and says what is wrong with them. */
const LAUNCHER = ['libs/cli/tsconfig.lib.json'];

async function build(node, projects = RUNNABLE) {
  await runQuiet('building', node, [tool('tsc'), '-b', ...projects]);
}

function launch(node, command, args) {
  const { child, exitCode } = runSupervised(node, [
    inRoot('libs', 'cli', 'dist', 'main.js'),
    command,
    ...args,
  ]);
  watchNpm(() => child.kill('SIGTERM'));
  return exitCode;
}

async function start(node, args) {
  await build(node);
  return launch(node, 'start', args);
}

async function dev(node, args) {
  await build(node, LAUNCHER);
  return launch(node, 'dev', args);
}

async function test(node, args) {
  await build(node);
  const redis = await runShown(node, [inRoot('scripts', 'ensure-redis.mjs')]);
  if (redis !== 0) return redis;
  return runShown(node, [tool('vitest'), 'run', ...args]);
}

async function verify(node) {
  const script = (name) => ['npm', ['run', '--silent', name], { env: { NX_DAEMON: 'false' } }];
  const parts = [
    ['format check', ...script('format:check')],
    ['lint', ...script('lint')],
    ['project references', ...script('sync:check')],
    ['type check', ...script('typecheck')],
    ['build', ...script('build')],
    ['Redis for the tests', node, [inRoot('scripts', 'ensure-redis.mjs')]],
    ['tests', node, [tool('vitest'), 'run']],
  ];
  for (const [name, program, args, options] of parts) {
    process.stderr.write(`\n── ${name}\n`);
    const code = await runShown(program, args, options);
    if (code !== 0) throw new Failure(`\nverify failed in: ${name} (exit code ${code})`, code);
  }
  process.stderr.write(`\n✓ verify: ${parts.map(([name]) => name).join(', ')}\n`);
  return 0;
}

async function bench(node, args) {
  await build(node);
  // As the launcher and the images start the services (libs/cli/src/launch/node-flags.ts).
  const flags = ['--max-semi-space-size=64', '--conditions=@spine/source'];
  return runShown(node, [...flags, inRoot('test', 'bench', 'main.ts'), ...args]);
}

async function chaos(node, args) {
  await build(node);
  const redis = await runShown(node, [inRoot('scripts', 'ensure-redis.mjs')]);
  if (redis !== 0) return redis;
  const { child, exitCode } = runSupervised(node, [
    '--conditions=@spine/source',
    inRoot('test', 'chaos', 'main.ts'),
    ...args,
  ]);
  watchNpm(() => child.kill('SIGTERM'));
  return exitCode;
}

async function buildOnly(node) {
  await build(node);
  return 0;
}

const COMMANDS = { start, dev, test, verify, bench, chaos, build: buildOnly };

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
