import { childEnvironment, type Environment, type Settings } from '@spine/config';

/** Of the grace, a service is told this much less: it has to be done before it is killed. */
const MARGIN_SECONDS = 1;

export type ServiceRole =
  | { readonly kind: 'api'; readonly port: number }
  /** Counted from 1. */
  | { readonly kind: 'worker'; readonly number: number }
  | { readonly kind: 'scheduler' };

function healthPort(base: number | undefined, role: ServiceRole): string | undefined {
  if (base === undefined || role.kind === 'api') return undefined;
  return String(role.kind === 'worker' ? base + role.number : base);
}

/**
 * The environment of one service: the user's settings, with folders absolute and the addresses that were chosen.
 *
 * @param env of the launcher; default: this process's
 */
export function serviceEnvironment(
  settings: Settings<'launcher'>,
  databaseUrl: string,
  role: ServiceRole,
  env?: Environment,
): Record<string, string> {
  const overrides: Environment = {
    SPINE_DATABASE_URL: databaseUrl,
    SPINE_DATA_DIR: settings.dataDir,
    SPINE_DATA_ROOTS: settings.dataRoots.join(':'),
    SPINE_SHUTDOWN_GRACE_SECONDS: String(Math.max(0, settings.shutdownGraceSeconds - MARGIN_SECONDS)),
    SPINE_HEALTH_PORT: healthPort(settings.healthPort, role),
    // What runs handlers must not be able to change the schema.
    ...(role.kind === 'api' ? { SPINE_PORT: String(role.port) } : { SPINE_ADMIN_DATABASE_URL: undefined }),
    // Of whoever calls an API, which services do not.
    SPINE_API_KEY: undefined,
  };
  return env === undefined ? childEnvironment(overrides) : childEnvironment(overrides, env);
}
