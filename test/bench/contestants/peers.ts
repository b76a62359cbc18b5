/** Other systems, installed in test/bench/peers with a package.json of their own: Spine itself needs none of them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Contestant } from '../model.ts';

const FOLDER = fileURLToPath(new URL('../peers', import.meta.url));
const MODULES = ['graphile.mjs'] as const;

function isContestant(module: unknown): module is Contestant {
  return (
    typeof module === 'object' &&
    module !== null &&
    'name' in module &&
    typeof module.name === 'string' &&
    'measure' in module &&
    typeof module.measure === 'function'
  );
}

/**
 * The peers; installs them first where they are not.
 * @throws Error when npm cannot install them.
 */
export async function loadPeers(say: (line: string) => void): Promise<readonly Contestant[]> {
  if (!existsSync(`${FOLDER}/node_modules`)) {
    say('installing test/bench/peers');
    const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: FOLDER,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(npm, 'exit');
    if (npm.exitCode !== 0) throw new Error(`npm ci in ${FOLDER} ended with code ${String(npm.exitCode)}`);
  }
  return Promise.all(
    MODULES.map(async (file) => {
      const module: unknown = await import(`${FOLDER}/${file}`);
      if (!isContestant(module)) throw new TypeError(`${file} exports no name and measure()`);
      return module;
    }),
  );
}
