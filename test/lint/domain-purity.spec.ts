/**
 * A domain is logic and handlers: it reaches the world through what the layers below hand it. The linter says so for what
 * it knows by name; this looks at every import there is, and allows what is listed, so that a driver nobody has thought of
 * is refused too.
 */
import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { projectRoot } from './workspace.ts';

/** Packages that compute, describe or validate, and reach nothing. `kysely` builds statements; it connects to nothing. */
const PURE = [
  '@spine/core',
  '@spine/database',
  '@spine/execution',
  '@spine/reference-calendar',
  'decimal.js',
  'kysely',
  'zod',
];
/** Parts of Node that compute on what they are given. Files, sockets, processes and the machine are not among them. */
const PURE_NODE = ['buffer', 'crypto', 'stream', 'stream/promises', 'util'];

interface Import {
  readonly specifier: string;
  /** Gone when the code runs. */
  readonly typeOnly: boolean;
}

/** Everything a text imports: statements, re-exports, `import()`, `require()` and `import x = require()`. */
function importsOf(path: string, code: string): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, typeOnly: boolean): void => {
    // What is not a literal could be anything.
    if (node !== undefined)
      found.push({ specifier: ts.isStringLiteralLike(node) ? node.text : '?', typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    else if (ts.isCallExpression(node)) {
      const called = node.expression;
      const isRequire = ts.isIdentifier(called) && ['require', 'createRequire'].includes(called.text);
      if (called.kind === ts.SyntaxKind.ImportKeyword || isRequire) add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true));
  return found;
}

/** The imports of a domain's file that reach infrastructure. */
function impurities(path: string, code: string): string[] {
  return importsOf(path, code)
    .filter(({ specifier, typeOnly }) => !typeOnly && !isPure(specifier))
    .map(({ specifier }) => specifier);
}

function isPure(specifier: string): boolean {
  if (specifier.startsWith('./')) return true;
  // Within the package: out of it, a path could reach anything.
  if (specifier.startsWith('../')) return !specifier.startsWith('../../../');
  const name = specifier.replace(/^node:/, '');
  if (specifier.startsWith('node:') || builtinModules.includes(name)) return PURE_NODE.includes(name);
  return PURE.includes(specifier);
}

describe('the check', () => {
  it.each([
    `import pg from 'pg';`,
    `import { Redis } from 'ioredis';`,
    `import { Queue } from 'bullmq';`,
    `import { request } from 'undici';`,
    `import { get } from 'node:http';`,
    `import { get } from 'https';`,
    `import { connect } from 'node:net';`,
    `import { spawn } from 'node:child_process';`,
    `import { readFile } from 'node:fs/promises';`,
    `import fs from 'fs';`,
    `import { tmpdir } from 'node:os';`,
    `import { Worker } from 'node:worker_threads';`,
    `import { DatabaseSync } from 'node:sqlite';`,
    `import { S3Client } from '@aws-sdk/client-s3';`,
    `import axios from 'axios';`,
    `import { Injectable } from '@nestjs/common';`,
    `import '@spine/config';`,
    `export * from 'pg';`,
    `export const x = await import('node:dgram');`,
    `export const x = require('pg');`,
    `import x = require('pg');`,
    `const name = 'pg'; export const x = await import(name);`,
    `import { thing } from '../../../database/src/sql/pool.ts';`,
  ])('refuses %s', (code) => {
    expect(impurities('virtual.ts', code)).toHaveLength(1);
  });

  it.each([
    `import { ok } from '@spine/core';`,
    `import { sql } from 'kysely';`,
    `import { createHash } from 'node:crypto';`,
    `import { rule } from '../calcs/rule.ts';`,
    `import type { FileHandle } from 'node:fs/promises';`,
    `export const text = "import pg from 'pg'";`,
  ])('allows %s', (code) => {
    expect(impurities('virtual.ts', code)).toEqual([]);
  });
});

describe('every file of every domain', () => {
  const files = globSync('libs/domains/*/src/**/*.ts', { cwd: projectRoot }).filter(
    (file) => !file.endsWith('.spec.ts') && !/-support\.ts$/.test(file),
  );

  it('is looked at', () => {
    expect(files).toContain(join('libs/domains/finra-otc/src/operations/step.ts'));
    expect(files.length).toBeGreaterThan(30);
  });

  it('imports no infrastructure', () => {
    const found = files.flatMap((file) =>
      impurities(file, readFileSync(join(projectRoot, file), 'utf8')).map(
        (specifier) => `${file}: ${specifier}`,
      ),
    );
    expect(found).toEqual([]);
  });
});
