/** Files and folders that settings name, as they stand on this machine. Their contents are not read. */
import { access, constants, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describeVariable, VARIABLE_NAMES } from '@spine/config';
import type { Settings } from '@spine/config';
import type { Folder, SecretFile } from '../judge/environment.ts';
import type { Configured } from './settings.ts';

const FILE_REFERENCE = 'secret:file:';

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Env files that set something secret, Vault's token, files that references name, and the embedded database's passwords. */
function secretPaths({ settings, configuration }: Configured, cwd: string): string[] {
  const isSecret = new Set<string>(
    VARIABLE_NAMES.filter((name) => describeVariable(name).quoting !== 'plain'),
  );
  const envFiles = (configuration?.layers ?? []).flatMap(({ source, values }) =>
    source.startsWith('.env') && Object.keys(values).some((name) => isSecret.has(name))
      ? [join(cwd, source)]
      : [],
  );
  if (settings === null) return envFiles;
  const references = [...(configuration?.merged ?? [])].flatMap(([, { value }]) =>
    value.startsWith(FILE_REFERENCE)
      ? [resolve(settings.secrets.dir, value.slice(FILE_REFERENCE.length))]
      : [],
  );
  const tokenFile = settings.secrets.vault?.tokenFile;
  return [
    ...envFiles,
    ...references,
    ...(tokenFile === undefined ? [] : [tokenFile]),
    join(settings.dataDir, 'postgres.json'),
  ];
}

/** Those that are there. Systems without such rights have none to look at. */
export async function gatherSecretFiles(configured: Configured, cwd: string): Promise<SecretFile[]> {
  if (process.platform === 'win32') return [];
  const found = await Promise.all(
    [...new Set(secretPaths(configured, cwd))].map(async (path): Promise<SecretFile[]> => {
      try {
        const { mode } = await stat(path);
        return [{ path, mode }];
      } catch (error) {
        if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error))) return [];
        throw error;
      }
    }),
  );
  return found.flat();
}

async function stateOf(path: string, mode: number): Promise<Folder['state']> {
  try {
    if (!(await stat(path)).isDirectory()) return 'no_folder';
    await access(path, mode);
    return 'usable';
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return 'missing';
    if (code === 'ENOTDIR') return 'no_folder';
    return (mode & constants.W_OK) === 0 ? 'not_readable' : 'not_writable';
  }
}

export async function gatherFolders(settings: Settings, { configuration }: Configured): Promise<Folder[]> {
  const { dataRoots, dataDir, payloads, role } = settings;
  const isExplicit = (name: string): boolean => configuration?.merged.has(name) === true;
  const read = constants.R_OK | constants.X_OK;
  const write = read | constants.W_OK;
  const wanted = [
    ...dataRoots.map((path) => ({ setting: 'SPINE_DATA_ROOTS', path, mode: read, isMade: false })),
    ...(role === 'launcher' ? [{ setting: 'SPINE_DATA_DIR', path: dataDir, mode: write, isMade: true }] : []),
    ...(payloads.dir === undefined
      ? []
      : [{ setting: 'SPINE_PAYLOAD_DIR', path: payloads.dir, mode: write, isMade: true }]),
  ];
  return Promise.all(
    wanted.map(async ({ setting, path, mode, isMade }) => ({
      setting,
      path,
      isMade,
      isExplicit: isExplicit(setting),
      state: await stateOf(path, mode),
    })),
  );
}
