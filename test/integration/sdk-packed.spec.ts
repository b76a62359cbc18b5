/**
 * The client as somebody else gets it: packed, unpacked into a folder that knows nothing of the workspace, compiled against by
 * a strict consumer, and run. What runs is what its README shows.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomKey, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/.bin/tsc');
const KEY = randomKey();

let api: Api;
let folder: string;

/** npm beside this Node, or the one on the PATH: what packs must not matter. */
async function pack(from: string, to: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', to], { cwd: from });
  return join(to, stdout.trim());
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spine-sdk-'));
  api = await startApi({ keys: [KEY] });
  await api.startWorker();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await api.close();
});

it('is generated from openapi.json as it is: after a change run `npm run generate -w @spine/sdk`', async () => {
  const check = run(process.execPath, [join(ROOT, 'libs/sdk/scripts/generate.mjs'), '--check']);
  await expect(check).resolves.toMatchObject({ stderr: '' });
});

it('works where it is installed alone, as its README says', async () => {
  const source = join(folder, 'package');
  const installed = join(folder, 'consumer/node_modules/@spine/sdk');
  await mkdir(installed, { recursive: true });
  for (const name of ['package.json', 'README.md']) {
    await cp(join(ROOT, 'libs/sdk', name), join(source, name));
  }
  // Not the workspace's build, which may be of another moment.
  const config = join(ROOT, 'libs/sdk/tsconfig.lib.json');
  const dist = join(source, 'dist');
  await run(TSC, ['-p', config, '--outDir', dist, '--tsBuildInfoFile', join(folder, 'tsbuildinfo')]);
  const tarball = await pack(source, folder);
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  // What npm would fetch; nothing else is there.
  for (const name of Object.keys(manifest.dependencies)) {
    await cp(join(ROOT, 'node_modules', name), join(folder, 'consumer/node_modules', name), {
      recursive: true,
    });
  }

  const readme = await readFile(join(installed, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(blocks.length).toBeGreaterThan(5);
  const program = blocks.join('\n').replace('http://localhost:3000', api.url).replace('your-key', KEY);
  const consumer = join(folder, 'consumer');
  await writeFile(join(consumer, 'package.json'), '{ "type": "module" }');
  await writeFile(join(consumer, 'readme.ts'), program);
  await writeFile(
    join(consumer, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        module: 'nodenext',
        target: 'es2022',
        lib: ['es2023', 'dom', 'dom.iterable'],
        types: [],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        outDir: 'out',
      },
      files: ['readme.ts'],
    }),
  );
  await run(TSC, ['-p', consumer]).catch((error: { stdout?: string }) => {
    throw new Error(`the README does not compile:\n${error.stdout}`);
  });
  const { stdout } = await run(process.execPath, [join(consumer, 'out/readme.js')], {
    cwd: dirname(consumer),
    timeout: 20_000,
  });
  expect(stdout).toContain('completed { sum: 5 }\ntrue true\n');
  expect(stdout).toContain('submitted\nstarted\ncompleted\n404 run "01912345-6789-7abc-8def-0123456789ab"');
});
