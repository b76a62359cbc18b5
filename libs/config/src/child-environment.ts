import { toEnvironment } from './cascade/layers.ts';
import { readProcessConfiguration } from './process-settings.ts';
import type { Environment } from './settings-model.ts';
import { VARIABLE_NAMES } from './variables.ts';

/** Not Spine's, but a Node process needs them to find programs, certificates, proxies and temporary folders. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
];

/** Names that are Spine's though no schema knows them go along: the service warns of them as its launcher does. */
function isSetting(name: string): boolean {
  return name.startsWith('SPINE_') || VARIABLE_NAMES.some((known) => known === name);
}

/** What references in these settings need that is not Spine's: the variable of `secret:env:`, the SDK's for `secret:aws:`. */
function neededByReferences(configured: Environment): (name: string) => boolean {
  const named = new Set<string>();
  let aws = false;
  for (const [name, value] of Object.entries(configured)) {
    const text = value?.trim() ?? '';
    if (!isSetting(name)) continue;
    if (text.startsWith('secret:env:')) named.add(text.slice('secret:env:'.length));
    if (text.startsWith('secret:aws:')) aws = true;
  }
  return (name) => named.has(name) || (aws && name.startsWith('AWS_'));
}

/**
 * The environment of a service started by the launcher: the settings in the environment of this process with `overrides`
 * on top (undefined removes one), and of the rest only what a Node process needs and what references to secrets name.
 * A PGHOST or PGPASSWORD of the user's shell must not reach a service. The service reads the same files as the launcher:
 * it works in the same folder.
 *
 * @param configured the settings that may hold references; default: `env`, for this process with its files
 */
export function childEnvironment(
  overrides: Environment,
  env?: Environment,
  configured: Environment = env ?? toEnvironment(readProcessConfiguration().merged),
): Record<string, string> {
  const isNeeded = neededByReferences(configured);
  const chosen = Object.entries(env ?? process.env).filter(
    ([name]) => isSetting(name) || PASSED_ON.includes(name) || isNeeded(name),
  );
  const merged = { ...Object.fromEntries(chosen), ...overrides };
  return Object.fromEntries(
    Object.entries(merged).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
