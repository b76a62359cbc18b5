import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SEMI_SPACE_MB } from '../../libs/cli/src/launch/node-flags.ts';
import { copiedFromContext, effective, lintDockerfile, parseStages, targets } from './dockerfile.ts';

const inProject = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(inProject(path), 'utf8');

const dockerfile = read('deploy/Dockerfile');
const stages = parseStages(dockerfile);
const services = readdirSync(inProject('services')).filter((name) =>
  existsSync(inProject(`services/${name}/package.json`)),
);

/** The smallest Dockerfile nothing is wrong with. */
const SOUND = `
FROM node:24-bookworm-slim AS build
COPY package.json ./
RUN npm ci
FROM node:24-bookworm-slim AS app
COPY --from=build /app ./
USER 1000:1000
CMD ["node", "main.js"]
`;

describe('the lint', () => {
  it('finds nothing in a sound Dockerfile', () => {
    expect(lintDockerfile(SOUND)).toEqual([]);
  });

  it.each([
    ['a frontend from the network', '\nFROM', '# syntax=docker/dockerfile:1\nFROM', '# syntax='],
    ['ADD', 'COPY package.json ./', 'ADD package.json ./', 'line 3: ADD'],
    ['npm install', 'npm ci', 'npm install', 'line 4: npm ci'],
    ['npm i after a line break', 'npm ci', 'cd . \\\n  && npm i', 'line 4: npm ci'],
    [
      'an image without a tag',
      'FROM node:24-bookworm-slim AS app',
      'FROM node AS app',
      'stage app: node names no',
    ],
    ['latest', 'node:24-bookworm-slim AS app', 'node:latest AS app', 'stage app: node:latest names no'],
    [
      'a stage that does not exist',
      '--from=build',
      '--from=built',
      'COPY from built, which is no earlier stage',
    ],
    ['the whole context', 'COPY package.json ./', 'COPY . .', 'COPY of the whole context'],
    ['a CMD in a shell', '["node", "main.js"]', 'node main.js', 'CMD runs a shell'],
    ['no CMD', 'CMD ["node", "main.js"]', '', 'target app has no CMD'],
    ['no user', 'USER 1000:1000', '', 'target app runs as root'],
    ['root by number', 'USER 1000:1000', 'USER 0:0', 'target app runs as root'],
    ['root again after another user', 'CMD [', 'USER root\nCMD [', 'target app runs as root'],
  ])('finds %s', (_what, sound, unsound, problem) => {
    expect(SOUND).toContain(sound);
    expect(lintDockerfile(SOUND.replace(sound, unsound))).toContainEqual(expect.stringContaining(problem));
  });
});

describe('deploy/Dockerfile', () => {
  it('passes the lint', () => {
    expect(lintDockerfile(dockerfile)).toEqual([]);
  });

  it('has an image for every service and one for the migrations', () => {
    expect(targets(stages).sort()).toEqual(['migrate', ...services].sort());
  });

  it('runs programs that are built from this source', () => {
    for (const target of targets(stages)) {
      const [program, file = '', ...more] = JSON.parse(effective(stages, target, 'CMD') ?? '[]') as string[];
      expect([program, more]).toEqual(['node', []]);
      expect(file).toMatch(/^(?:libs|services)\/[a-z-]+\/dist\/.+\.js$/);
      const source = file.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
      expect(existsSync(inProject(source)), `${target}: ${source}`).toBe(true);
    }
  });

  it('starts Node as the launcher and the benchmark do', () => {
    const flag = `--max-semi-space-size=${SEMI_SPACE_MB}`;
    expect(effective(stages, 'worker', 'ENV')).toContain(`NODE_OPTIONS=${flag}`);
    expect(read('scripts/bootstrap.mjs')).toContain(`'${flag}'`);
  });

  it('runs as a user that Kubernetes can tell from root', () => {
    for (const target of targets(stages))
      expect(effective(stages, target, 'USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('installs and builds every service', () => {
    const commands = stages.flatMap(({ instructions }) => instructions.filter(({ name }) => name === 'RUN'));
    const installs = commands.filter(({ text }) => text.includes('npm ci')).map(({ text }) => text);
    const builds = commands.filter(({ text }) => text.includes('tsc -b')).map(({ text }) => text);
    expect([installs.length, builds.length]).toEqual([2, 1]);
    for (const service of services) {
      for (const text of installs) expect(text).toContain(`--workspace=services/${service}`);
      for (const text of builds) expect(text).toContain(`services/${service}/tsconfig.lib.json`);
    }
  });

  it('installs without running packages’ scripts, and no tools into what runs', () => {
    const installs = stages.flatMap(({ name, instructions }) =>
      instructions.filter(({ text }) => text.includes('npm ci')).map(({ text }) => ({ stage: name, text })),
    );
    expect(installs.map(({ stage }) => stage)).toEqual(['build', 'production-dependencies']);
    for (const { text } of installs) expect(text).toContain('--ignore-scripts');
    expect(installs[1]?.text).toContain('--omit=dev --omit=optional');
  });
});

describe('.dockerignore', () => {
  const patterns = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const allowed = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));

  it('keeps everything out that it does not name', () => {
    expect(patterns[0]).toBe('*');
    expect(allowed.filter((path) => !existsSync(inProject(path)))).toEqual([]);
    for (const path of ['.', '.env', '.git', '.spine', 'data', 'node_modules'])
      expect(allowed).not.toContain(path);
  });

  it('keeps local builds, installs and secrets out of what it names', () => {
    const last = Math.max(...patterns.map((pattern, index) => (pattern.startsWith('!') ? index : 0)));
    for (const pattern of ['**/node_modules', '**/dist', '**/*.tsbuildinfo', '**/.env*']) {
      // The last pattern that matches decides.
      expect(patterns.indexOf(pattern), pattern).toBeGreaterThan(last);
    }
  });

  it('lets in what the Dockerfile copies', () => {
    const sources = stages.flatMap(({ instructions }) => instructions.flatMap(copiedFromContext));
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      expect(existsSync(inProject(source)), source).toBe(true);
      const isIn = allowed.some((path) => source === path || source.startsWith(`${path}/`));
      expect(isIn, source).toBe(true);
    }
  });
});
