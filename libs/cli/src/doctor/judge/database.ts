/** What the facts of Spine's database mean: its schema, its rights, its load. */
import { assertNever } from '@spine/core';
import type {
  DatabaseHealth,
  GrantFacts,
  HealthProblemCode,
  InvalidIndex,
  MigrationStatus,
  OpenTransaction,
  TableFacts,
} from '@spine/database';
import { counted, findingsOf, some } from '../finding.ts';
import type { Finding } from '../finding.ts';

const { ok, warning, error } = findingsOf('database');

export function judgeMigrations({ applied, plan }: MigrationStatus): Finding {
  const version = applied.at(-1)?.version ?? 0;
  switch (plan.type) {
    case 'apply': {
      const pending = plan.pending.map(({ name }) => name);
      const measured = { version, pending };
      if (pending.length === 0) {
        return ok('database_migrations', { message: `schema version ${version}, nothing pending`, measured });
      }
      return error(
        'database_migrations',
        { message: `${counted(pending.length, 'migration')} pending: ${some(pending, 3)}`, measured },
        'spine db migrate',
      );
    }
    case 'edited':
      return error(
        'database_migrations',
        {
          message: `migration ${plan.name} was changed after it was applied`,
          measured: { version, edited: plan.name },
        },
        'restore that file, and write a new migration instead',
      );
    case 'unknown':
      return error(
        'database_migrations',
        {
          message: `the database has migration ${plan.name}, which this version does not know`,
          measured: { version, unknown: plan.name },
        },
        'deploy a newer version of Spine here',
      );
    default:
      return assertNever(plan);
  }
}

export function judgeGrants({ unusable, rewritable }: GrantFacts): Finding[] {
  const measured = { unusable, rewritable };
  const findings = [
    ...(unusable.length === 0
      ? []
      : [
          error(
            'database_grants',
            { message: `spine_app may not read or append to ${some(unusable)}`, measured },
            `GRANT SELECT, INSERT ON ${unusable.join(', ')} TO spine_app;`,
          ),
        ]),
    ...(rewritable.length === 0
      ? []
      : [
          error(
            'database_grants',
            { message: `spine_app may rewrite evidence: ${some(rewritable)}`, measured },
            `REVOKE UPDATE, DELETE, TRUNCATE ON ${rewritable.join(', ')} FROM spine_app, PUBLIC;`,
          ),
        ]),
  ];
  return findings.length > 0
    ? findings
    : [ok('database_grants', { message: 'spine_app has its rights, and cannot rewrite evidence', measured })];
}

const LOAD_FIXES: Readonly<Record<HealthProblemCode, string>> = {
  connections_nearly_used_up: 'lower SPINE_DATABASE_POOL, or raise max_connections',
  many_wait_for_locks:
    'SELECT pid, pg_blocking_pids(pid), state FROM pg_stat_activity WHERE wait_event_type = $$Lock$$;',
  reads_from_disk: 'raise shared_buffers',
  freezing_is_late: 'VACUUM (FREEZE) the largest tables; spine doctor --only database shows what holds it up',
};

export function judgeLoad(health: DatabaseHealth): Finding[] {
  const measured = {
    connections: health.connections,
    max_connections: health.maxConnections,
    waiting_for_locks: health.waitingForLocks,
    cache_hit_ratio: health.cacheHitRatio,
    transaction_age: health.transactionAge,
    size_bytes: health.sizeBytes,
  };
  if (health.problems.length === 0) {
    const message = `${health.connections} of ${health.maxConnections} connections are open`;
    return [ok('database_load', { message, measured })];
  }
  return health.problems.map(({ code, message }) =>
    // Postgres stops taking writes at twice that age.
    (code === 'freezing_is_late' ? error : warning)('database_load', { message, measured }, LOAD_FIXES[code]),
  );
}

export function judgeTransactions(open: readonly OpenTransaction[]): Finding {
  const [longest] = open;
  const seconds = longest?.seconds ?? 0;
  const measured = {
    transactions: open.length,
    longest_seconds: seconds,
    pids: open.map(({ pid }) => String(pid)),
  };
  if (longest === undefined) {
    return ok('database_transactions', { message: 'no transaction has been open for long', measured });
  }
  const who = longest.application === '' ? longest.role : longest.application;
  return warning(
    'database_transactions',
    {
      message: `${counted(open.length, 'transaction')} open for long: pid ${longest.pid} (${who}, ${longest.state ?? 'state not visible'}) for ${seconds} s; vacuum cannot remove what is dead since`,
      measured,
    },
    `end it where it was opened, or: SELECT pg_terminate_backend(${longest.pid});`,
  );
}

export function judgeTables(tables: readonly TableFacts[]): Finding {
  const bloated = tables.filter(({ hint }) => hint === 'vacuum');
  const measured = {
    tables: tables.length,
    to_vacuum: bloated.map(({ table }) => table),
    dead_rows: bloated.reduce((sum, { deadRows }) => sum + deadRows, 0),
  };
  if (bloated.length === 0) {
    return ok('database_tables', { message: 'no table has many dead rows', measured });
  }
  const names = bloated.map(({ table, deadRatio }) => `${table} (${Math.round(deadRatio * 100)} %)`);
  return warning(
    'database_tables',
    { message: `many rows are dead in ${some(names)}: autovacuum is late, off, or held up`, measured },
    bloated.map(({ table }) => `VACUUM (ANALYZE) ${table};`).join(' '),
  );
}

export function judgeIndexes(invalid: readonly InvalidIndex[]): Finding {
  const measured = { invalid: invalid.map(({ index }) => index) };
  if (invalid.length === 0) return ok('database_indexes', { message: 'every index is valid', measured });
  return warning(
    'database_indexes',
    {
      message: `${counted(invalid.length, 'index', 'indexes')} written to and never read: ${some(invalid.map(({ index, table }) => `${index} of ${table}`))}`,
      measured,
    },
    `${invalid.map(({ index }) => `REINDEX INDEX CONCURRENTLY ${index};`).join(' ')} or drop them`,
  );
}
