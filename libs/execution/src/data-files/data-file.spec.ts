import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ValidationError } from '@spine/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataFile, readBytes } from './data-file.ts';

const base = mkdtempSync(join(realpathSync(tmpdir()), 'spine-data-files-'));
const MAX_BYTES = 512 * 1024;
const at = (...parts: string[]): string => join(base, ...parts);
const roots = [at('missing'), at('first'), at('link-to-second')];

beforeAll(() => {
  for (const folder of ['first/folder', 'second', 'outside', 'first-sibling'])
    mkdirSync(at(folder), { recursive: true });
  symlinkSync(at('second'), at('link-to-second'));
  writeFileSync(at('first/both.csv'), 'first');
  writeFileSync(at('second/both.csv'), 'second');
  writeFileSync(at('second/only.csv'), 'only second');
  writeFileSync(at('first/folder/..odd name.csv'), 'odd');
  writeFileSync(at('outside/secret.csv'), 'secret');
  writeFileSync(at('first-sibling/secret.csv'), 'secret');
  symlinkSync('folder/..odd name.csv', at('first/to-inside.csv'));
  symlinkSync(at('second/only.csv'), at('first/to-other-root.csv'));
  symlinkSync(at('outside/secret.csv'), at('first/to-outside.csv'));
  symlinkSync(at('outside/nothing.csv'), at('first/to-nothing.csv'));
  symlinkSync(at('outside'), at('first/to-folder-outside'));
  symlinkSync('loop.csv', at('first/loop.csv'));
});

afterAll(() => rmSync(base, { recursive: true }));

async function content(filePath: string): Promise<{ name: string; size: number; text: string }> {
  const file = await openDataFile(filePath, roots, MAX_BYTES);
  try {
    const read: Buffer[] = [];
    for await (const bytes of readBytes(file)) read.push(Buffer.from(bytes));
    return { name: file.name, size: file.size, text: Buffer.concat(read).toString() };
  } finally {
    await file.handle.close();
  }
}

async function refusalOf(filePath: string): Promise<ValidationError> {
  const refused: unknown = await content(filePath).catch((error: unknown) => error);
  if (refused instanceof ValidationError) return refused;
  throw new Error(`${filePath} was not refused`, { cause: refused });
}

describe('openDataFile', () => {
  it.each([
    ['both.csv', 'first'],
    ['./both.csv', 'first'],
    ['only.csv', 'only second'],
    ['folder/..odd name.csv', 'odd'],
    [at('first/both.csv'), 'first'],
    [at('second/only.csv'), 'only second'],
    [at('link-to-second/only.csv'), 'only second'],
    ['to-other-root.csv', 'only second'],
  ])('opens %s', async (filePath, text) => {
    expect(await content(filePath)).toMatchObject({ text, size: text.length });
  });

  it('tells the name of the real file', async () => {
    expect((await content('to-inside.csv')).name).toBe('..odd name.csv');
  });

  const refused = [
    'missing.csv',
    'both.csv/below',
    at('first/missing.csv'),
    at('outside/secret.csv'),
    at('outside/missing.csv'),
    at('first-sibling/secret.csv'),
    '/etc/passwd',
    'to-outside.csv',
    'to-nothing.csv',
    'to-folder-outside/secret.csv',
    'to-folder-outside/missing.csv',
    'loop.csv',
    'folder',
    '.',
    at('first'),
    base,
    '/',
    'x'.repeat(300),
  ];

  it.each(refused)('refuses %s', async (filePath) => {
    const error = await refusalOf(filePath);
    expect(error.retryable).toBe(false);
    expect(error.message).toMatch(/^file_path: /);
    expect(error.issues).toMatchObject([{ field: 'params.file_path', code: 'not_in_data_roots' }]);
  });

  it('says the same of all of them, so that nothing outside can be found out', async () => {
    const said = new Set<string>();
    for (const filePath of refused) said.add(JSON.stringify((await refusalOf(filePath)).issues));
    expect(said.size).toBe(1);
    expect([...said].join()).not.toContain(base);
  });

  it.each([
    ['', 'is empty'],
    ['both.csv\0', 'NUL'],
    ['../outside/secret.csv', "'..' segment"],
    ['folder/../both.csv', "'..' segment"],
    [`${at('first')}/../outside/secret.csv`, "'..' segment"],
    ['..', "'..' segment"],
    ['..\\both.csv', "'..' segment"],
  ])('refuses the path %j for what it is', async (filePath, problem) => {
    const error = await refusalOf(filePath);
    expect(error.message).toContain(problem);
    expect(error.issues).toMatchObject([{ field: 'params.file_path', code: 'invalid_path' }]);
  });

  it('refuses a file over the limit, and takes one at it', async () => {
    for (const [size, name] of [
      [MAX_BYTES, 'large.csv'],
      [MAX_BYTES + 1, 'too-large.csv'],
    ] as const) {
      writeFileSync(at('first', name), '');
      truncateSync(at('first', name), size);
    }
    const large = await openDataFile('large.csv', roots, MAX_BYTES);
    await large.handle.close();
    const error = await refusalOf('too-large.csv');
    expect(error.message).toBe(
      `file_path: "too-large.csv" has ${MAX_BYTES + 1} bytes; at most ${MAX_BYTES} are allowed`,
    );
  });

  it('finds nothing without data roots', async () => {
    await expect(openDataFile(at('first/both.csv'), [], MAX_BYTES)).rejects.toThrow(ValidationError);
    await expect(openDataFile('both.csv', [at('missing')], MAX_BYTES)).rejects.toThrow(ValidationError);
  });
});

describe('readBytes', () => {
  it('reads the whole file, and again from its start', async () => {
    const text = '0123456789'.repeat(20_000);
    writeFileSync(at('first/long.csv'), text);
    const file = await openDataFile('long.csv', roots, MAX_BYTES);
    for (let pass = 0; pass < 2; pass += 1) {
      const read: Buffer[] = [];
      for await (const bytes of readBytes(file)) read.push(Buffer.from(bytes));
      expect(read.length).toBeGreaterThan(1);
      expect(Buffer.concat(read).toString()).toBe(text);
    }
    await file.handle.close();
  });
});
