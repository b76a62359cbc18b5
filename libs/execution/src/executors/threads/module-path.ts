/** Where the code of an isolated handler is: a file under one root, whatever links lead to it. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { extname, isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError, toErrorInfo } from '@spine/core';
import type { IsolatedModule } from '../../registry/registry.ts';

const EXPORT_NAME = /^[A-Za-z_$][\w$]*$/;
const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts'];

/**
 * The real path of a directory.
 * @param what it is called in errors.
 * @throws ConfigError when there is none.
 */
export function realRoot(root: string, what = 'the root of isolated handlers'): string {
  const real = realPath(root, what);
  if (!statSync(real).isDirectory()) throw new ConfigError(`${what}, ${root}, is not a directory`);
  return real;
}

/**
 * The `file:` URL of a handler's module.
 *
 * @param root as {@link realRoot} gives it.
 * @throws ConfigError for a module outside the root, one that is no script, and an export that is no identifier.
 */
export function moduleUrl(root: string, { module, export: name }: IsolatedModule): string {
  if (!EXPORT_NAME.test(name)) {
    throw new ConfigError(`export ${JSON.stringify(name)} must match ${EXPORT_NAME.source}`);
  }
  const given = asBuiltOrSource(typeof module === 'string' ? resolve(root, module) : pathOf(module));
  const real = realPath(given, 'the module of an isolated handler');
  const below = relative(root, real);
  if (below === '' || below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below)) {
    throw new ConfigError(`module ${given} is outside ${root}, where isolated handlers have to be`);
  }
  if (!EXTENSIONS.includes(extname(real)) || !statSync(real).isFile()) {
    throw new ConfigError(`module ${given} must be a file with one of the endings ${EXTENSIONS.join(', ')}`);
  }
  return pathToFileURL(real).href;
}

/** Code that names its build's `.js` file is found as `.ts` where the sources run. */
function asBuiltOrSource(path: string): string {
  if (!path.endsWith('.js') || existsSync(path)) return path;
  const source = `${path.slice(0, -'.js'.length)}.ts`;
  return existsSync(source) ? source : path;
}

function pathOf(module: URL): string {
  if (module.protocol !== 'file:') {
    throw new ConfigError(`a module must be a file: URL, not one of the protocol ${module.protocol}`);
  }
  return fileURLToPath(module);
}

function realPath(path: string, what: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw new ConfigError(`${what}, ${path}, cannot be read: ${toErrorInfo(error).message}`, {
      cause: error,
    });
  }
}
