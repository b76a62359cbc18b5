/** The bootstrap scripts, in a project of their own with a stand-in for npm: what is installed, run and forwarded. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adviceFor } from '../../scripts/lib/install.mjs';
import { sameInstall } from '../../scripts/lib/install-state.mjs';
import { chooseNode, isAtLeast } from '../../scripts/lib/node-version.mjs';

const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url));

let root: string;
const running: ChildProcess[] = [];

function file(path: string, text: string, mode = 0o644): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  chmodSync(full, mode);
  return full;
}

/** Counts its calls; its behaviour is `npm-behaviour`, a shell script. */
function npmThat(behaviour: string): void {
  file('bin/npm', `#!/bin/sh\necho "$*" >> ${root}/npm-calls\n${behaviour}\n`, 0o755);
}

const INSTALLS = 'mkdir -p node_modules/.bin; echo "" > node_modules/.bin/tsc';

function npmCalls(): string[] {
  try {
    return readFileSync(join(root, 'npm-calls'), 'utf8').trimEnd().split('\n');
  } catch {
    return [];
  }
}

function startBootstrap(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [join(root, 'scripts', 'bootstrap.mjs'), ...args], {
    cwd: tmpdir(),
    env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  return child;
}

async function finished(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** Waits for a file in the project's folder. */
async function appears(name: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!existsSync(join(root, name))) {
    if (performance.now() > deadline) throw new Error(`the file ${name} did not appear`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const bootstrap = (...args: string[]) => finished(startBootstrap(...args));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spine-bootstrap-'));
  cpSync(SCRIPTS, join(root, 'scripts'), { recursive: true });
  file('package-lock.json', '{"packages":{}}');
  npmThat(INSTALLS);
});

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

describe('installing', () => {
  it('happens once, and again when package-lock.json changes', async () => {
    const first = await bootstrap('build');
    expect(first).toMatchObject({ code: 0 });
    expect(first.output).toContain('installing dependencies');
    expect(npmCalls()).toEqual(['ci --include=dev --include=optional --no-audit --no-fund']);

    const second = await bootstrap('build');
    expect(second.code).toBe(0);
    expect(second.output).not.toContain('dependencies');
    expect(npmCalls()).toHaveLength(1);

    file('package-lock.json', '{"packages":{"node_modules/x":{"version":"1.0.0"}}}');
    expect((await bootstrap('build')).output).toContain('updating dependencies');
    expect(npmCalls()).toHaveLength(2);
  });

  it('is repeated for node_modules of another platform', async () => {
    await bootstrap('build');
    const stamp = join(root, 'node_modules', '.spine-install.json');
    file('node_modules/.package-lock.json', '{"packages":{}}');
    writeFileSync(
      stamp,
      readFileSync(stamp, 'utf8').replace(/"platform": "[^"]*"/, '"platform": "plan9-mips"'),
    );
    await bootstrap('build');
    expect(npmCalls()).toHaveLength(2);
  });

  it('is not repeated over an install that npm made itself', async () => {
    file('package-lock.json', '{"packages":{}}');
    await bootstrap('build');
    expect(npmCalls().splice(0)).toHaveLength(1);
    rmSync(join(root, 'npm-calls'));
    file('package-lock.json', '{"packages":{"":{},"node_modules/x":{"version":"1.0.0","integrity":"a"}}}');
    file('node_modules/.bin/tsc', '');
    file(
      'node_modules/.package-lock.json',
      '{"packages":{"node_modules/x":{"version":"1.0.0","integrity":"a"}}}',
    );
    expect((await bootstrap('build')).code).toBe(0);
    expect(npmCalls()).toEqual([]);
  });

  it('that fails shows npm’s last words, the way out, and is repeated by the next start', async () => {
    npmThat('echo "npm error code ENOTFOUND" >&2; exit 7');
    const failed = await bootstrap('build');
    expect(failed.code).toBe(1);
    expect(failed.output).toContain('npm error code ENOTFOUND');
    expect(failed.output).toContain('could not reach its registry');
    expect(failed.output).toContain(join(root, '.spine', 'install.log'));

    npmThat(INSTALLS);
    expect((await bootstrap('build')).code).toBe(0);
    expect(npmCalls()).toHaveLength(2);
  });

  it('is done by one of two commands that start together', async () => {
    npmThat(`sleep 0.5; ${INSTALLS}`);
    const results = await Promise.all([bootstrap('build'), bootstrap('build')]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    expect(npmCalls()).toHaveLength(1);
  });

  it('does not wait for an install whose process is gone', async () => {
    const gone = spawn('true');
    await once(gone, 'exit');
    file('.spine/install.lock', String(gone.pid));
    expect((await bootstrap('build')).code).toBe(0);
  });
});

describe('running', () => {
  const REPORT = `process.on('disconnect', () => { require('fs').writeFileSync('left-alone', ''); process.exit(0); });`;

  async function launcher(program: string): Promise<ChildProcess> {
    file('libs/cli/dist/main.js', program);
    const child = startBootstrap('start');
    await new Promise<void>((resolve, reject) => {
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('up')) resolve();
      });
      child.once('close', () => reject(new Error(`ended early: ${text}`)));
    });
    return child;
  }

  it('start gives its arguments and its exit code through', async () => {
    file(
      'libs/cli/dist/main.js',
      `console.log(process.argv.slice(2).join(' '), process.cwd()); process.exit(5);`,
    );
    const result = await bootstrap('start', 'extra');
    expect(result.code).toBe(5);
    expect(result.output).toContain(`start extra ${root}`);
  });

  it('start stops before running what does not build, and shows why', async () => {
    npmThat(
      `mkdir -p node_modules/.bin; echo "console.log('x.ts: error TS1'); process.exit(2)" > node_modules/.bin/tsc`,
    );
    file('libs/cli/dist/main.js', `console.log('ran');`);
    const result = await bootstrap('start');
    expect(result.code).toBe(2);
    expect(result.output).toContain('x.ts: error TS1');
    expect(result.output).not.toContain('ran');
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s reaches the launcher, whose exit code counts',
    async (signal) => {
      const child = await launcher(
        `process.on('${signal}', () => { console.log('got ${signal}'); process.exit(0); }); setInterval(() => {}, 1000); console.log('up');`,
      );
      const end = finished(child);
      child.kill(signal);
      const { code, output } = await end;
      expect(code).toBe(0);
      expect(output.split('\n').filter((line) => line === `got ${signal}`)).toHaveLength(1);
    },
  );

  it('the launcher notices a bootstrap that was killed', async () => {
    const child = await launcher(`${REPORT} console.log('up');`);
    child.kill('SIGKILL');
    await appears('left-alone');
  });

  it('the launcher is asked to stop when npm, which would forward signals, is killed', async () => {
    file(
      'libs/cli/dist/main.js',
      `process.on('SIGTERM', () => { require('fs').writeFileSync('stopped', ''); process.exit(0); });
       setInterval(() => {}, 1000); require('fs').writeFileSync('up', '');`,
    );
    // As npm does it: a shell in between, and the name of the script in the environment.
    const npm = spawn(
      process.execPath,
      [
        '-e',
        `require('child_process').spawnSync('sh', ['-c', 'node scripts/bootstrap.mjs start; exit'], { stdio: 'inherit' })`,
      ],
      {
        cwd: root,
        env: {
          PATH: `${join(root, 'bin')}:${dirname(process.execPath)}:/usr/bin:/bin`,
          npm_lifecycle_event: 'start',
        },
        stdio: 'ignore',
      },
    );
    running.push(npm);
    await appears('up');
    npm.kill('SIGKILL');
    await appears('stopped');
  });

  it.each([[[]], [['biuld']]])('%j is answered with the usage', async (args) => {
    const result = await bootstrap(...args);
    expect(result.code).toBe(2);
    expect(result.output).toContain('usage: node scripts/bootstrap.mjs');
    expect(npmCalls()).toEqual([]);
  });
});

describe('the Node that is used', () => {
  it.each([
    ['v24.21.0', '22.12.0', true],
    ['22.12.0', '22.12.0', true],
    ['22.11.9', '22.12.0', false],
    ['20.20.2', '22.12.0', false],
    ['100.0.0', '22.12.0', true],
  ])('%s is at least %s: %s', (have, need, expected) => {
    expect(isAtLeast(have, need)).toBe(expected);
  });

  it('is the installed one, else the current one, else none', () => {
    const installed = { path: '/modules/node', version: '24.21.0' };
    expect(chooseNode(installed, { path: '/usr/bin/node', version: '25.0.0' })).toBe('/modules/node');
    expect(
      chooseNode({ ...installed, version: undefined }, { path: '/usr/bin/node', version: '22.12.0' }),
    ).toBe('/usr/bin/node');
    expect(() => chooseNode(undefined, { path: '/usr/bin/node', version: '20.20.2' })).toThrow(
      /Node 22\.12\.0.*Node 20\.20\.2/,
    );
  });
});

describe('comparing an install', () => {
  const wanted = {
    packages: {
      '': { version: '1.0.0' },
      'node_modules/a': { version: '1.0.0', integrity: 'x' },
      'node_modules/b': { version: '2.0.0', optional: true },
      'libs/c': { version: '0.1.0', dependencies: { a: '1.0.0' } },
      'node_modules/@s/c': { resolved: 'libs/c', link: true },
    },
  };
  const present = (change: object) => ({
    packages: {
      'node_modules/a': { version: '1.0.0', integrity: 'x' },
      'libs/c': { version: '0.1.0' },
      'node_modules/@s/c': { resolved: 'libs/c', link: true },
      ...change,
    },
  });

  it('accepts what is complete but for packages of other platforms', () => {
    expect(sameInstall(wanted, present({}))).toBe(true);
  });

  it.each([
    ['another version', { 'node_modules/a': { version: '1.0.1', integrity: 'x' } }],
    ['another content', { 'node_modules/a': { version: '1.0.0', integrity: 'y' } }],
    ['a missing package', { 'node_modules/a': undefined }],
    ['a link to another folder', { 'node_modules/@s/c': { resolved: 'libs/d', link: true } }],
  ])('notices %s', (_, change) => {
    expect(sameInstall(wanted, present(change))).toBe(false);
  });
});

describe('advice', () => {
  it.each([
    [
      'npm ci can only install packages when your package.json and package-lock.json are in sync',
      'npm install',
    ],
    ['getaddrinfo EAI_AGAIN registry', 'registry'],
    ['ENOSPC: no space left on device', 'disk is full'],
    ['EACCES: permission denied', 'another user'],
    ['something else', 'Delete the folder node_modules'],
  ])('%s', (log, expected) => {
    expect(adviceFor(log)).toContain(expected);
  });
});
