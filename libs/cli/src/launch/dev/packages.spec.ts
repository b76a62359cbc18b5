import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ROOT } from '../../version.ts';
import { readPackages, servedPackages } from './packages.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spine-packages-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('of this project every service runs core, and only workers and the API run the catalog', () => {
  const served = new Map(servedPackages(readPackages(ROOT)).map(({ dir, services }) => [dir, [...services]]));
  expect(served.get('libs/core')).toEqual(['api', 'worker', 'scheduler']);
  expect(served.get('libs/domains/finra-otc')).toEqual(['api', 'worker']);
  expect(served.get('libs/catalog')).toEqual(['api', 'worker']);
  expect(served.get('services/worker')).toEqual(['worker']);
  expect(served.has('libs/testing')).toBe(false);
});

it('a Spine without its sources is told so', () => {
  expect(() => readPackages(root)).toThrow(
    /services\/api\/src is not there.*spine start runs what is built/s,
  );
});

it('a manifest that is half written is named', () => {
  mkdirSync(join(root, 'libs', 'a'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"workspaces": ["libs/*", "nowhere/*"]}');
  writeFileSync(join(root, 'libs', 'a', 'package.json'), '{"name": ');
  expect(() => readPackages(root)).toThrow(/libs\/a\/package\.json cannot be read/);
});
