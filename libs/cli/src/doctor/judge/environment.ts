/** What the facts of this machine and its settings mean. */
import { assertNever } from '@spine/core';
import { counted, findingsOf, some } from '../finding.ts';
import type { Finding } from '../finding.ts';
import { DOCTOR_LIMITS } from './limits.ts';
import { isAtLeast, versionParts } from './version.ts';

const { ok, info, warning, error } = findingsOf('environment');

/** @param version as `process.versions.node` */
export function judgeNode(version: string): Finding {
  const least = DOCTOR_LIMITS.nodeVersion;
  const measured = { node: version };
  return isAtLeast(versionParts(version) ?? [], least)
    ? ok('node_version', { message: `Node ${version}`, measured })
    : error(
        'node_version',
        { message: `Node ${version} is too old`, measured },
        `install Node ${least.join('.')} or newer; \`npm start\` brings its own on Linux x64`,
      );
}

export type SettingsAnswer =
  | { readonly type: 'usable'; readonly tier: string; readonly warnings: readonly string[] }
  /** As the error says it: one line for each problem, values that may be secrets not shown. */
  | { readonly type: 'unusable'; readonly problem: string };

/** @param set what is not left at its default, and where it is set; no values */
export function judgeSettings(
  answer: SettingsAnswer,
  role: string,
  set: readonly { readonly name: string; readonly source: string }[],
): Finding[] {
  const sources = set.map(({ name, source }) => `${name} (${source})`);
  const said = info('settings_sources', {
    message:
      sources.length === 0
        ? 'every setting is at its default'
        : `${counted(sources.length, 'setting')} not at the default: ${some(sources, 8)}`,
    measured: { settings: sources },
  });
  switch (answer.type) {
    case 'unusable':
      return [
        error(
          'settings',
          { message: answer.problem, measured: { role, usable: false } },
          'correct them: spine config show says where each is set; --role names another process than `start`',
        ),
        said,
      ];
    case 'usable':
      return [
        ok('settings', {
          message: `the settings can be used by role ${role}, tier ${answer.tier}`,
          measured: { role, usable: true, tier: answer.tier },
        }),
        ...answer.warnings.map((text) =>
          warning('settings_warning', { message: text, measured: {} }, 'change the setting that is named'),
        ),
        said,
      ];
    default:
      return assertNever(answer);
  }
}

/** A file that holds a secret. */
export interface SecretFile {
  readonly path: string;
  /** As `stat` says: the last nine bits are the rights. */
  readonly mode: number;
}

const OF_OTHERS = 0o077;
const ALL_RIGHTS = 0o777;

export function judgeSecretFiles(files: readonly SecretFile[]): Finding {
  const open = files.filter(({ mode }) => (mode & OF_OTHERS) !== 0);
  const shown = open.map(({ path, mode }) => `${path} (${(mode & ALL_RIGHTS).toString(8)})`);
  const measured = { files: files.length, open: shown };
  if (open.length === 0) {
    const message =
      files.length === 0
        ? 'no file with secrets is used'
        : `${counted(files.length, 'file')} with secrets, for their owner alone`;
    return ok('secret_files', { message, measured });
  }
  return warning(
    'secret_files',
    { message: `others on this machine may reach into ${some(shown)}`, measured },
    `chmod 600 ${open.map(({ path }) => path).join(' ')}`,
  );
}

export interface Folder {
  /** The setting it comes from. */
  readonly setting: string;
  readonly path: string;
  readonly state: 'usable' | 'missing' | 'no_folder' | 'not_readable' | 'not_writable';
  /** Made by Spine when it is missing. */
  readonly isMade: boolean;
  /** Set by somebody, not a default. */
  readonly isExplicit: boolean;
}

const FOLDER_STATES = {
  missing: 'does not exist',
  no_folder: 'is no folder',
  not_readable: 'cannot be read by this user',
  not_writable: 'cannot be written to by this user',
} as const;

export function judgeFolders(folders: readonly Folder[]): Finding[] {
  const bad = folders.filter(({ state, isMade }) => state !== 'usable' && !(state === 'missing' && isMade));
  if (bad.length === 0) {
    const paths = folders.map(({ path }) => path);
    return [
      ok('folders', { message: `${counted(paths.length, 'folder')} usable`, measured: { folders: paths } }),
    ];
  }
  return bad.map(({ setting, path, state, isExplicit }) => {
    const roots = setting === 'SPINE_DATA_ROOTS';
    const id = roots ? 'data_roots' : 'folders';
    const why = state === 'usable' ? '' : FOLDER_STATES[state];
    const made = { message: `${setting}: ${path} ${why}`, measured: { setting, path, state } };
    const fix =
      state === 'missing' ? `mkdir -p ${path}, or change ${setting}` : `change its rights or ${setting}`;
    // Nobody has asked for a default: what is not there cannot be named by a parameter, and that is all.
    if (roots && !isExplicit) return info(id, made, fix);
    return roots ? warning(id, made, fix) : error(id, made, fix);
  });
}
