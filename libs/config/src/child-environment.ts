import type { Environment } from './settings.ts';

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

/**
 * The environment of a service started by the launcher: the SPINE_ variables of this process with `overrides`
 * on top (undefined removes one), and of the rest only what a Node process needs. A PGHOST or PGPASSWORD of the
 * user's shell must not reach a service.
 */
export function childEnvironment(
  overrides: Environment,
  env: Environment = process.env,
): Record<string, string> {
  const chosen = Object.entries(env).filter(
    ([name]) => name.startsWith('SPINE_') || PASSED_ON.includes(name),
  );
  const merged = { ...Object.fromEntries(chosen), ...overrides };
  return Object.fromEntries(
    Object.entries(merged).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
