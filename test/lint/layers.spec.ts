import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkspace, LINT_TIMEOUT_MS, lintTexts, type Package, type Workspace } from './workspace.ts';

const RULE = '@nx/enforce-module-boundaries';

/** A package may import those of a lower rank. */
const RANKS: Readonly<Record<string, number>> = {
  core: 0,
  config: 1,
  observability: 1,
  database: 2,
  execution: 3,
  scheduling: 4,
  orchestration: 4,
  runtimes: 4,
  framework: 5,
  'domain-one': 6,
  'domain-two': 6,
  'reference-calendar': 6,
  examples: 7,
  catalog: 8,
  api: 9,
  worker: 9,
  scheduler: 9,
};

/** Packages outside the order: they import these, and nobody imports them. */
const OUTSIDERS: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  mcp: ['core', 'config', 'observability', 'sdk'],
  cli: ['core', 'config', 'observability', 'database', 'execution', 'orchestration', 'sdk', 'mcp'],
  testing: ['core', 'config', 'database', 'execution'],
};

const SERVICES = ['api', 'worker', 'scheduler'];
const names = [...Object.keys(RANKS), ...Object.keys(OUTSIDERS)];

function folderOf(name: string): string {
  if (SERVICES.includes(name)) return `services/${name}`;
  return RANKS[name] === 6 ? `libs/domains/${name}` : `libs/${name}`;
}

function tagsOf(name: string): string[] {
  return RANKS[name] === 6 ? ['layer:domain', `domain:${name}`] : [`layer:${name}`];
}

function mayImport(source: string, target: string): boolean {
  const allowed = OUTSIDERS[source];
  if (allowed !== undefined) return allowed.includes(target);
  const [sourceRank, targetRank] = [RANKS[source], RANKS[target]];
  if (sourceRank === undefined || targetRank === undefined) return false;
  return targetRank < sourceRank || (sourceRank === 6 && target === 'reference-calendar');
}

const pairs = names.flatMap((source) =>
  names.filter((target) => target !== source).map((target) => ({ source, target })),
);

describe('import directions', () => {
  let workspace: Workspace;
  const verdicts = new Map<string, string[]>();
  const verdictOf = (source: string, target: string): string[] => {
    const verdict = verdicts.get(`${source} -> ${target}`);
    if (verdict === undefined) throw new Error(`${source} -> ${target} was not linted`);
    return verdict;
  };

  beforeAll(async () => {
    const packages = names.map((name): Package => {
      return { folder: folderOf(name), name: `@fixture/${name}`, tags: tagsOf(name) };
    });
    workspace = createWorkspace(packages);
    const texts = pairs.map(({ source, target }) => ({
      path: `${folderOf(source)}/src/uses.ts`,
      code: `import * as used from '@fixture/${target}';\nexport { used };\n`,
    }));
    const results = await lintTexts(workspace.root, { rules: [RULE], withTypes: false }, texts);
    pairs.forEach(({ source, target }, index) => {
      const messages = results[index]?.map(({ message }) => message);
      if (messages !== undefined) verdicts.set(`${source} -> ${target}`, messages);
    });
  }, LINT_TIMEOUT_MS);
  afterAll(() => workspace.remove());

  it.each(names)('hold for %s', (source) => {
    for (const target of names.filter((name) => name !== source)) {
      const expected = mayImport(source, target)
        ? []
        : [expect.stringMatching(/can only depend on libs tagged with|cannot depend on any libs with tags/)];
      expect(verdictOf(source, target), `${source} -> ${target}`).toEqual(expected);
    }
  });

  it('hold for dynamic imports, re-exports and relative paths', async () => {
    const [dynamic, reExport, relative] = await lintTexts(
      workspace.root,
      { rules: [RULE], withTypes: false },
      [
        { path: 'libs/core/src/a.ts', code: `export const later = import('@fixture/execution');` },
        { path: 'libs/core/src/b.ts', code: `export * from '@fixture/execution';` },
        { path: 'libs/execution/src/c.ts', code: `export * from '../../core/src/index.ts';` },
      ],
    );
    const refused = [{ rule: RULE, message: expect.stringContaining('layer:core') as unknown }];
    expect(dynamic).toEqual(refused);
    expect(reExport).toEqual(refused);
    expect(relative).toEqual([{ rule: RULE, message: expect.stringContaining('relative') as unknown }]);
  });
});
