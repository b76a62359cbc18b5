import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** The linter reads the whole project first; on a busy machine that takes its time. */
export const LINT_TIMEOUT_MS = 180_000;

export interface LintText {
  /** Path of the file it shall be taken for, relative to the workspace. */
  readonly path: string;
  readonly code: string;
}

export interface LintRun {
  readonly rules: readonly string[];
  /** Whether the rules need type information. */
  readonly withTypes: boolean;
}

export interface LintMessage {
  readonly rule: string | null;
  readonly message: string;
}

export interface Workspace {
  readonly root: string;
  remove(): void;
}

/**
 * Lints texts with the project's configuration and the given rules of it, in the workspace `root`. Returns the messages
 * of each text.
 */
export async function lintTexts(
  root: string,
  { rules, withTypes }: LintRun,
  texts: readonly LintText[],
): Promise<LintMessage[][]> {
  const program = fileURLToPath(new URL('lint-texts.mjs', import.meta.url));
  const child = spawn(process.execPath, [program], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NX_DAEMON: 'false' },
  });
  child.stdin.end(JSON.stringify({ texts, rules, with_types: withTypes }));
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`the linter failed: ${errors}${output}`);
  return JSON.parse(output) as LintMessage[][];
}

export interface Package {
  readonly folder: string;
  readonly name: string;
  readonly tags: readonly string[];
}

/** Makes a workspace of empty packages: no import between them exists, so none is refused for making a circle. */
export function createWorkspace(packages: readonly Package[]): Workspace {
  const root = mkdtempSync(join(tmpdir(), 'spine-lint-'));
  const write = (path: string, content: unknown): void => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  };
  write('package.json', { name: 'fixture', private: true, workspaces: packages.map(({ folder }) => folder) });
  write('nx.json', { neverConnectToCloud: true, analytics: false });
  for (const { folder, name, tags } of packages) {
    const exports = { '.': './src/index.ts' };
    write(`${folder}/package.json`, { name, version: '0.1.0', type: 'module', exports, nx: { tags } });
    write(`${folder}/src/index.ts`, 'export {};\n');
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
