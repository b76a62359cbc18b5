/** What the facts of a Postgres server mean: whether it can be used, and how it is set. */
import { assertNever } from '@spine/core';
import type { ServerFacts } from '@spine/database';
import { findingsOf } from '../finding.ts';
import type { Finding } from '../finding.ts';
import { DOCTOR_LIMITS } from './limits.ts';

const { ok, info, warning, error } = findingsOf('database');

export type DatabaseAccess =
  | { readonly type: 'reached'; readonly address: string; readonly latencyMs: number }
  /** There is none: no URL, and no embedded one that runs. */
  | { readonly type: 'none'; readonly why: string }
  /** The settings that would name it cannot be used. */
  | { readonly type: 'unknown' }
  | { readonly type: 'unreachable'; readonly address: string; readonly why: string }
  /** The server answers; it has no database of that name. */
  | { readonly type: 'missing'; readonly address: string };

export function judgeAccess(access: DatabaseAccess): Finding {
  switch (access.type) {
    case 'reached':
      return ok('database_reachable', {
        message: `${access.address} answers in ${access.latencyMs} ms`,
        measured: { address: access.address, latency_ms: access.latencyMs },
      });
    case 'none':
      return error(
        'database_reachable',
        { message: access.why, measured: { address: null } },
        'run `spine start`, or set SPINE_DATABASE_URL',
      );
    case 'unknown':
      return error(
        'database_reachable',
        { message: 'not looked at: the settings cannot be used', measured: { address: null } },
        'correct the settings first',
      );
    case 'unreachable':
      return error(
        'database_reachable',
        {
          message: `${access.address} cannot be used: ${access.why}`,
          measured: { address: access.address },
        },
        'start that Postgres, or correct server, port, user, password and database in SPINE_DATABASE_URL',
      );
    case 'missing':
      return error(
        'database_reachable',
        {
          message: `the database ${access.address} does not exist`,
          measured: { address: access.address, exists: false },
        },
        'spine db init',
      );
    default:
      return assertNever(access);
  }
}

/** @param driftMs this machine's clock minus the database's */
export function judgeServer(facts: ServerFacts, driftMs: number): Finding[] {
  return [
    judgeVersion(facts),
    judgeDurability(facts),
    ...(facts.inRecovery
      ? [
          error(
            'database_standby',
            { message: 'this is a standby, which takes no writes', measured: { in_recovery: true } },
            'name the primary in SPINE_DATABASE_URL',
          ),
        ]
      : []),
    judgeRole(facts),
    judgeClock(driftMs),
    ...(facts.autovacuum === 'on'
      ? []
      : [
          warning(
            'database_autovacuum',
            { message: 'autovacuum is off: tables only grow', measured: { autovacuum: facts.autovacuum } },
            'ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf();',
          ),
        ]),
  ];
}

function judgeVersion({ version, versionNumber }: ServerFacts): Finding {
  const measured = { version };
  return versionNumber >= DOCTOR_LIMITS.postgresVersion
    ? ok('database_version', { message: `Postgres ${version}`, measured })
    : error(
        'database_version',
        { message: `Postgres ${version} is too old`, measured },
        'upgrade to Postgres 15 or newer',
      );
}

function judgeDurability({ fsync, synchronousCommit, fullPageWrites }: ServerFacts): Finding {
  const measured = { fsync, synchronous_commit: synchronousCommit, full_page_writes: fullPageWrites };
  const off = Object.entries(measured).flatMap(([name, value]) => (value === 'off' ? [name] : []));
  if (off.length === 0) {
    return ok('database_durability', { message: 'what is committed survives a power cut', measured });
  }
  return error(
    'database_durability',
    { message: `${off.join(', ')} off: a crash may lose what was answered as done`, measured },
    `${off.map((name) => `ALTER SYSTEM SET ${name} = on;`).join(' ')} SELECT pg_reload_conf();`,
  );
}

function judgeRole({ applicationRole, loginRole, loginIsSuperuser }: ServerFacts): Finding {
  const measured = { login_role: loginRole, superuser: loginIsSuperuser, spine_app: applicationRole };
  switch (applicationRole) {
    case 'missing':
      return error(
        'database_role',
        { message: 'the role spine_app, which every service works as, does not exist', measured },
        'spine db migrate',
      );
    case 'not_granted':
      return error(
        'database_role',
        { message: `${loginRole} may not become spine_app, which every service works as`, measured },
        `GRANT spine_app TO ${JSON.stringify(loginRole)};`,
      );
    case 'usable':
      return loginIsSuperuser
        ? info(
            'database_role',
            {
              message: `${loginRole} is a superuser: only habit keeps the services from rewriting`,
              measured,
            },
            'give the services a role that is none, with: GRANT spine_app TO it',
          )
        : ok('database_role', { message: `${loginRole} may become spine_app`, measured });
    default:
      return assertNever(applicationRole);
  }
}

function judgeClock(driftMs: number): Finding {
  const measured = { drift_ms: driftMs };
  return Math.abs(driftMs) <= DOCTOR_LIMITS.driftMs
    ? ok('database_clock', { message: `this machine's clock is ${driftMs} ms from the database's`, measured })
    : warning(
        'database_clock',
        {
          message: `this machine's clock is ${driftMs} ms from the database's, which decides what is due`,
          measured,
        },
        'look after the time service (NTP) of both machines',
      );
}
