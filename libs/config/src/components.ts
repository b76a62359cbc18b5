/** Which backends a deployment is made of, and whether they fit together. Pure. */
import { isAbsolute, relative, sep } from 'node:path';
import { isLoopbackHost } from './loopback.ts';
import type { Role } from './settings-model.ts';
import type { EventBusChoice } from './variables.ts';

/** What was chosen. Folders are absolute. */
export interface Components {
  readonly role: Role;
  readonly tier: string;
  /** Embedded: the launcher runs one of its own. */
  readonly database: 'embedded' | 'postgres';
  /** Whether there is a Redis; the queue is then on it, else in Postgres. */
  readonly redis: boolean;
  readonly eventBus: EventBusChoice;
  /** Worker processes the launcher starts. */
  readonly workers: number;
  readonly dataDir: string;
  readonly dataRoots: readonly string[];
  /** Where large payloads are; undefined: in Postgres. */
  readonly payloadDir: string | undefined;
  /** Where backups are written; undefined: none are made. */
  readonly backupDir: string | undefined;
  readonly secretsDir: string;
  readonly vault: { readonly address: string | undefined; readonly token: boolean };
}

export interface CombinationFinding {
  /** Nothing starts with an error. */
  readonly severity: 'error' | 'warning';
  /** Stable, for programs. */
  readonly code: string;
  readonly message: string;
  /** What to set. */
  readonly fix: string;
}

type Rule = (components: Components) => readonly CombinationFinding[];

const error = (code: string, message: string, fix: string): readonly CombinationFinding[] => [
  { severity: 'error', code, message, fix },
];
const warning = (code: string, message: string, fix: string): readonly CombinationFinding[] => [
  { severity: 'warning', code, message, fix },
];
const FITS: readonly CombinationFinding[] = [];

/** Whether files of `folder` can be named as files of `root`. */
function holds(root: string, folder: string): boolean {
  const path = relative(root, folder);
  return path === '' || (path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path));
}

const tierHasItsBackends: Rule = ({ tier, database, redis }) => {
  const wantsPostgres = tier === 'standard' || tier === 'full';
  if (wantsPostgres && database === 'embedded') {
    return error(
      'tier_without_database',
      `tier ${tier} needs a Postgres of its own, and the embedded one would be used`,
      'set SPINE_DATABASE_URL, or SPINE_TIER=minimal',
    );
  }
  if (tier === 'full' && !redis) {
    return error(
      'tier_without_redis',
      'tier full needs Redis',
      'set SPINE_REDIS_URL, or SPINE_TIER=standard',
    );
  }
  return FITS;
};

const eventBusIsThere: Rule = ({ eventBus, redis }) => {
  if (eventBus === 'redis' && !redis) {
    return error(
      'event_bus_without_redis',
      'SPINE_EVENT_BUS is redis, and there is no Redis',
      'set SPINE_REDIS_URL, or SPINE_EVENT_BUS=postgres',
    );
  }
  if (eventBus === 'memory') {
    return warning(
      'event_bus_in_memory',
      'SPINE_EVENT_BUS is memory: events reach nobody outside the process that publishes them',
      'set SPINE_EVENT_BUS=auto where there are several processes',
    );
  }
  return FITS;
};

const somebodyWorks: Rule = ({ role, workers }) =>
  role === 'launcher' && workers === 0
    ? warning(
        'no_workers',
        'SPINE_WORKERS is 0: runs are accepted and nothing executes them',
        'start a worker elsewhere, or set SPINE_WORKERS=1',
      )
    : FITS;

/** A parameter may name any file below a data root: what is no data must not lie there. */
const dataRootsHoldDataOnly: Rule = ({ dataRoots, dataDir, payloadDir, backupDir, secretsDir }) => {
  const kept = [
    { name: 'SPINE_DATA_DIR', folder: dataDir },
    { name: 'SPINE_SECRETS_DIR', folder: secretsDir },
    ...(payloadDir === undefined ? [] : [{ name: 'SPINE_PAYLOAD_DIR', folder: payloadDir }]),
    ...(backupDir === undefined ? [] : [{ name: 'SPINE_BACKUP_DIR', folder: backupDir }]),
  ];
  return kept.flatMap(({ name, folder }) =>
    dataRoots.some((root) => holds(root, folder))
      ? warning(
          'data_root_too_wide',
          `${name} lies within SPINE_DATA_ROOTS: a parameter may name its files`,
          `move ${name}, or name narrower SPINE_DATA_ROOTS`,
        )
      : FITS,
  );
};

const vaultCanBeAsked: Rule = ({ vault: { address, token } }) => {
  if (address === undefined) {
    return token
      ? warning('vault_without_address', 'there is a token for Vault, but no address', 'set SPINE_VAULT_ADDR')
      : FITS;
  }
  if (!token) {
    return error(
      'vault_without_token',
      'SPINE_VAULT_ADDR is set without a token',
      'set SPINE_VAULT_TOKEN or SPINE_VAULT_TOKEN_FILE',
    );
  }
  const { protocol, hostname } = new URL(address);
  return protocol === 'http:' && !isLoopbackHost(hostname.replace(/^\[|\]$/g, ''))
    ? warning(
        'vault_in_clear',
        "Vault's token and secrets travel unencrypted",
        'use https:// in SPINE_VAULT_ADDR',
      )
    : FITS;
};

const RULES: readonly Rule[] = [
  tierHasItsBackends,
  eventBusIsThere,
  somebodyWorks,
  dataRootsHoldDataOnly,
  vaultCanBeAsked,
];

/** What does not fit together, with what to change. Nothing: it fits. */
export function validateComponentCombination(components: Components): CombinationFinding[] {
  return RULES.flatMap((rule) => rule(components));
}

/** A finding as one line. */
export function describeFinding({ message, fix }: CombinationFinding): string {
  return `${message}; ${fix}`;
}
