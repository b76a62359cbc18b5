/**
 * Writes src/generated from the openapi.json at the root of the workspace; part of the build. A file whose text is the
 * same keeps its time, so that nothing is compiled again without need. With --check nothing is written, and the exit code is
 * 1 when something would be. Another document may be named.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createClient } from '@hey-api/openapi-ts';

const OPENAPI = fileURLToPath(new URL('../../../openapi.json', import.meta.url));
const GENERATED = fileURLToPath(new URL('../src/generated/', import.meta.url));

/**
 * The client of a document, as texts by file name. The tool works in a folder of its own, which is removed.
 * @param {string} openapi
 * @returns {Promise<Map<string, string>>}
 */
async function generate(openapi) {
  const folder = mkdtempSync(join(tmpdir(), 'spine-sdk-'));
  try {
    await createClient({
      input: openapi,
      output: { path: folder, module: { extension: '.ts' } },
      plugins: [
        // Where the API is, is said by whoever makes a client.
        { name: '@hey-api/client-fetch', throwOnError: true, baseUrl: false },
        '@hey-api/typescript',
        { name: '@hey-api/sdk', operations: { strategy: 'single', containerName: 'SpineApi' } },
      ],
      logs: { level: 'silent' },
    });
    return readTexts(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @returns {Map<string, string>} by path within the folder
 */
function readTexts(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return new Map(
    files
      .map((file) => join(file.parentPath, file.name))
      .sort()
      .map((path) => [path.slice(join(folder, '/').length), readFileSync(path, 'utf8')]),
  );
}

/**
 * @param {Map<string, string>} texts
 * @returns {string[]} names of files that are missing, too much, or of other text
 */
function differing(texts) {
  const there = readTexts(GENERATED);
  return [...new Set([...there.keys(), ...texts.keys()])].filter(
    (name) => there.get(name) !== texts.get(name),
  );
}

/** @param {Map<string, string>} texts */
function write(texts) {
  for (const name of differing(texts)) {
    const text = texts.get(name);
    const path = join(GENERATED, name);
    if (text === undefined) {
      rmSync(path);
      continue;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean' } },
  allowPositionals: true,
});
mkdirSync(GENERATED, { recursive: true });
const texts = await generate(positionals[0] ?? OPENAPI);
if (values.check === true) {
  const names = differing(texts);
  if (names.length > 0) {
    process.stderr.write(
      `not as openapi.json says: ${names.join(', ')}\nrun: npm run generate -w @spine/sdk\n`,
    );
    process.exitCode = 1;
  }
} else {
  write(texts);
}
