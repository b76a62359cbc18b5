import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { LINT_TIMEOUT_MS, lintTexts, projectRoot, type LintMessage } from './workspace.ts';

interface Case {
  readonly name: string;
  readonly path: string;
  readonly code: string;
  /** Undefined: legal. */
  readonly refusal?: { readonly rule: string; readonly message: string | RegExp };
}

const BOUNDARIES = '@nx/enforce-module-boundaries';
const DOMAIN = 'libs/domains/finra-otc/src/virtual.ts';

function refused(path: string, code: string, rule: string, message: string | RegExp): Case {
  return { name: `${path.split('/src/')[0] ?? path}: ${code}`, path, code, refusal: { rule, message } };
}

function legal(path: string, code: string): Case {
  return { name: `${path}: ${code}`, path, code };
}

const CASES: readonly Case[] = [
  // The packages carry the tags that the import directions (layers.spec.ts) are written for.
  refused(DOMAIN, `import '@spine/cli';`, BOUNDARIES, 'layer:domain'),
  refused('libs/config/src/virtual.ts', `import '@spine/observability';`, BOUNDARIES, 'layer:config'),
  refused('services/api/src/virtual.ts', `import '@spine/worker';`, BOUNDARIES, 'layer:api'),
  refused('services/worker/src/virtual.ts', `import '@spine/testing';`, BOUNDARIES, 'layer:worker'),
  refused('libs/core/src/virtual.ts', `import '@spine/execution';`, BOUNDARIES, 'Circular dependency'),
  refused('libs/core/src/virtual.ts', `import '../../config/src/index.ts';`, BOUNDARIES, 'relative'),
  legal('services/api/src/virtual.ts', `import '@spine/finra-otc';`),
  legal(
    DOMAIN,
    `import { z } from 'zod'; import { sql } from 'kysely'; import '@spine/execution'; export { sql, z };`,
  ),

  // A domain has no drivers and no network of its own.
  ...['pg', 'ioredis', 'bullmq', 'undici', '@nestjs/common'].map((name) =>
    refused(DOMAIN, `import '${name}';`, BOUNDARIES, `is not allowed to import "${name}"`),
  ),
  ...['node:http', 'https', 'node:http2', 'node:net', 'node:tls', 'node:child_process'].map((name) =>
    refused(DOMAIN, `import '${name}';`, 'no-restricted-imports', 'no network or process I/O'),
  ),
  refused(
    DOMAIN,
    `export const x = import('node:http');`,
    'no-restricted-syntax',
    'no network or process I/O',
  ),
  refused(DOMAIN, `export const x = fetch('http://x');`, 'no-restricted-globals', "'fetch'"),
  legal('services/api/src/virtual.ts', `import 'node:http';`),

  // NestJS: services, and module files.
  refused('libs/execution/src/virtual.ts', `import '@nestjs/common';`, 'no-restricted-imports', 'NestJS'),
  refused('libs/testing/src/virtual.ts', `import '@nestjs/core';`, 'no-restricted-imports', 'NestJS'),
  legal('services/api/src/virtual.ts', `import '@nestjs/common';`),

  // The environment has one reader.
  refused(
    'libs/core/src/virtual.ts',
    `export const x = process.env;`,
    'no-restricted-properties',
    '@spine/config',
  ),
  refused(
    'services/api/src/virtual.ts',
    `export const { env } = process;`,
    'no-restricted-properties',
    '@spine/config',
  ),
  refused(
    'libs/cli/src/virtual.ts',
    `import { env } from 'node:process';`,
    'no-restricted-imports',
    '@spine/config',
  ),
  refused(DOMAIN, `import { env } from 'process';`, 'no-restricted-imports', '@spine/config'),
  legal('libs/config/src/virtual.ts', `export const x = process.env;`),
  legal('libs/testing/src/virtual.ts', `export const x = process.env;`),
  legal('test/virtual.ts', `export const x = process.env;`),

  // Code is never made from data.
  refused('libs/core/src/virtual.ts', `eval('1');`, 'no-eval', 'eval'),
  refused('libs/core/src/virtual.ts', `export const f = new Function('1');`, 'no-new-func', 'Function'),
  refused('libs/core/src/virtual.ts', `export const f = Function('1');`, 'no-new-func', 'Function'),
  ...['libs/core', 'libs/config', 'libs/domains/finra-otc', 'services/api'].map((folder) =>
    refused(`${folder}/src/virtual.ts`, `import 'node:vm';`, 'no-restricted-imports', 'never made from data'),
  ),
  refused(
    'test/virtual.ts',
    `export const x = import('vm');`,
    'no-restricted-syntax',
    'never made from data',
  ),

  // What does not survive type stripping, and other things this code base does without.
  refused('libs/core/src/virtual.ts', `export enum Color { Red }`, 'no-restricted-syntax', 'const object'),
  refused(
    'services/worker/src/virtual.ts',
    `export class A { constructor(readonly b: string) {} }`,
    'no-restricted-syntax',
    'stripping types',
  ),
  legal('services/api/src/virtual.ts', `export class A { constructor(readonly b: string) {} }`),
  refused(
    'libs/core/src/virtual.ts',
    `export const x = 1 as unknown as string;`,
    'no-restricted-syntax',
    'through unknown',
  ),
  refused(
    'libs/core/src/virtual.ts',
    `export const x = new Date().getHours();`,
    'no-restricted-syntax',
    'Local date',
  ),
  legal('libs/core/src/virtual.ts', `export const x = new Date().getUTCHours();`),
  refused('test/virtual.spec.ts', `it.skip('x', () => undefined);`, 'no-restricted-syntax', 'not skipped'),
  refused(
    'test/virtual.spec.ts',
    `describe.only.each([])('x', () => undefined);`,
    'no-restricted-syntax',
    'not skipped',
  ),
  refused('libs/core/src/virtual.ts', `// ${'TO'}DO later`, 'no-warning-comments', 'comment'),
  refused(
    'libs/core/src/virtual.ts',
    `export const x = (y: string) => y == 'a'; // ${'eslint'}-disable-line eqeqeq`,
    'eqeqeq',
    '===',
  ),

  refused(
    'libs/core/src/virtual.ts',
    `export const x: any = 1;`,
    '@typescript-eslint/no-explicit-any',
    'any',
  ),
  refused(
    'libs/core/src/virtual.ts',
    `export const x = (y: string | null) => y!.length;`,
    '@typescript-eslint/no-non-null-assertion',
    'non-null',
  ),
  refused(
    'libs/core/src/virtual.ts',
    `import { Result } from './result.ts'; export type X = Result<1, 2>;`,
    '@typescript-eslint/consistent-type-imports',
    'import type',
  ),
  refused('libs/core/src/virtual.ts', `const unused = 1;`, '@typescript-eslint/no-unused-vars', 'unused'),
];

const TYPED: readonly Case[] = [
  refused('libs/core/src/virtual.ts', `setTimeout('1', 1);`, '@typescript-eslint/no-implied-eval', 'eval'),
  refused(
    'libs/core/src/virtual.ts',
    `Promise.resolve();`,
    '@typescript-eslint/no-floating-promises',
    'Promises must be awaited',
  ),
  refused(
    'libs/core/src/virtual.ts',
    `export function f(x: 'a' | 'b'): number { switch (x) { case 'a': return 1; default: return 2; } }`,
    '@typescript-eslint/switch-exhaustiveness-check',
    'Switch is not exhaustive',
  ),
  legal(
    'libs/core/src/virtual.ts',
    `export async function f(x: 'a' | 'b'): Promise<void> { switch (x) { case 'a': await Promise.resolve(); return; case 'b': } }`,
  ),
];

const rulesOf = (cases: readonly Case[]): string[] => [
  ...new Set(cases.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal.rule]))),
];

describe.each([
  { kind: 'syntax', withTypes: false, cases: CASES },
  { kind: 'types', withTypes: true, cases: TYPED },
])('lint rules on $kind', ({ cases, withTypes }) => {
  let results: LintMessage[][];
  beforeAll(async () => {
    results = await lintTexts(projectRoot, { rules: rulesOf(cases), withTypes }, cases);
  }, LINT_TIMEOUT_MS);

  it.each(cases.map((each, index) => ({ ...each, index })))('$name', ({ refusal, index }) => {
    const messages = results[index];
    if (refusal === undefined) {
      expect(messages).toEqual([]);
    } else {
      const message: unknown = expect.stringMatching(refusal.message);
      expect(messages).toContainEqual({ rule: refusal.rule, message });
    }
  });
});

describe('every package', () => {
  const manifests = globSync(
    ['libs/*/package.json', 'libs/domains/*/package.json', 'services/*/package.json'],
    {
      cwd: projectRoot,
    },
  );

  it.each(manifests)('%s has one layer', (manifest) => {
    const { nx } = JSON.parse(readFileSync(join(projectRoot, manifest), 'utf8')) as {
      nx?: { tags?: string[] };
    };
    const layers = nx?.tags?.filter((tag) => tag.startsWith('layer:')) ?? [];
    const folder = manifest.split('/').at(-2) ?? '';
    expect(layers).toEqual([manifest.startsWith('libs/domains/') ? 'layer:domain' : `layer:${folder}`]);
  });
});
