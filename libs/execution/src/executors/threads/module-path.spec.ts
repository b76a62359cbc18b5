import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '@spine/core';
import { moduleUrl, realRoot } from './module-path.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'spine-module-path-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const name of ['app', 'app/deep', 'app-secret', 'app/..data']) mkdirSync(join(folder, name));
for (const name of ['app/a.js', 'app/deep/b.ts', 'app/c.json', 'app-secret/d.js', 'app/..data/e.js'])
  writeFileSync(join(folder, name), '');
mkdirSync(join(folder, 'app/dir.js'));
symlinkSync(join(folder, 'app-secret/d.js'), join(folder, 'app/leads-out.js'));
symlinkSync(join(folder, 'app/a.js'), join(folder, 'leads-in.js'));
symlinkSync(join(folder, 'app'), join(folder, 'link'));

const root = realRoot(join(folder, 'link'));
const urlOf = (path: string): string => pathToFileURL(join(folder, path)).href;

describe('the module of an isolated handler', () => {
  it('is found under the root, by path or URL, through links', () => {
    expect(root).toBe(join(folder, 'app'));
    expect(moduleUrl(root, { module: 'a.js', export: 'run' })).toBe(urlOf('app/a.js'));
    expect(moduleUrl(root, { module: './deep/b.ts', export: '$run_2' })).toBe(urlOf('app/deep/b.ts'));
    expect(moduleUrl(root, { module: 'deep/b.js', export: 'run' })).toBe(urlOf('app/deep/b.ts'));
    expect(moduleUrl(root, { module: '..data/e.js', export: 'run' })).toBe(urlOf('app/..data/e.js'));
    expect(moduleUrl(root, { module: new URL(urlOf('leads-in.js')), export: 'run' })).toBe(urlOf('app/a.js'));
  });

  it.each([
    ['above the root', '../app-secret/d.js', /outside/],
    ['by an absolute path', join(folder, 'app-secret/d.js'), /outside/],
    ['whose name begins as the root does', join(folder, 'app-secret', 'd.js'), /outside/],
    ['behind a link that leads out', 'leads-out.js', /outside/],
    ['that is the root', '.', /outside/],
    ['that is no script', 'c.json', /endings \.js/],
    ['that is a directory', 'dir.js', /must be a file/],
    ['that is not there', 'nowhere.js', /cannot be read/],
    ['with a NUL in its name', 'a\0.js', /cannot be read/],
    ['on another machine', new URL('http://example.com/a.js'), /file: URL/],
  ])('is refused %s', (_, module, message) => {
    const find = () => moduleUrl(root, { module, export: 'run' });
    expect(find).toThrow(ConfigError);
    expect(find).toThrow(message);
  });

  it.each(['', '1run', 'a.b', 'run()', '__proto__.x', 'a b'])('is refused with the export %j', (name) => {
    expect(() => moduleUrl(root, { module: 'a.js', export: name })).toThrow(/must match/);
  });
});
