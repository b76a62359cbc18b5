/** The text of an example, from a source tree and from a built deployment alike. */
import { readFile, realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvariantError } from '@spine/core';
import type { Example } from './example.ts';

/** The package, whether this file lies in its `src` or its `dist`. */
const PACKAGE = new URL('..', import.meta.url);

export interface ExampleSource {
  /** Within the package, e.g. `src/b1-hello-world.ts`. */
  readonly path: string;
  readonly language: 'typescript' | 'javascript';
  readonly text: string;
}

/**
 * What was written, or, where only what was built is there, that.
 * @throws InvariantError for an example whose source is no file of this package.
 */
export async function readExampleSource({
  name,
  source,
}: Pick<Example, 'name' | 'source'>): Promise<ExampleSource> {
  const root = await realpath(fileURLToPath(PACKAGE));
  for (const url of [writtenOf(source), source]) {
    const file = await existing(url);
    if (file === null) continue;
    const path = relative(root, file).split(sep).join('/');
    if (!/^(?:src|dist)\/(?!.*\.\.)/.test(path))
      throw new InvariantError(`the source of ${name} is no file of the examples`);
    const language = path.endsWith('.ts') ? 'typescript' : 'javascript';
    return { path, language, text: await readFile(file, 'utf8') };
  }
  throw new InvariantError(`the source of ${name} is not there`);
}

/** `dist/a.js` was made of `src/a.ts`. */
function writtenOf(source: URL): URL {
  return new URL(source.href.replace(/\/dist\/([^/]+)\.js$/, '/src/$1.ts'));
}

/** Without symbolic links; null for none. */
async function existing(url: URL): Promise<string | null> {
  try {
    return await realpath(fileURLToPath(url));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
