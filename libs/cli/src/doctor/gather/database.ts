/** Looking at a database as its login role, with few connections and limited waits. Only reads. */
import {
  asQueryable,
  databaseHealth,
  deadLetterGroups,
  inspectGrants,
  inspectServer,
  invalidIndexes,
  leftHolds,
  listLocks,
  listTables,
  listWorkers,
  longTransactions,
  lostRuns,
  migrationStatus,
  overdueWorkflows,
  pausedLanes,
  SCHEDULER_LOCKS,
  schedulingStatus,
  staleRuns,
  unservedWork,
} from '@spine/database';
import type { Db, MigrationStatus, Queryable } from '@spine/database';
import { isNotThere } from '../../local/schema-fault.ts';
import type { Check } from '../check.ts';
import type { Finding } from '../finding.ts';
import {
  judgeGrants,
  judgeIndexes,
  judgeLoad,
  judgeMigrations,
  judgeTables,
  judgeTransactions,
} from '../judge/database.ts';
import { DOCTOR_LIMITS } from '../judge/limits.ts';
import { judgeSchedulers, judgeWorkers } from '../judge/processes.ts';
import { judgeServer } from '../judge/server.ts';
import {
  judgeDeadLetters,
  judgeHolds,
  judgePausedLanes,
  judgeLost,
  judgeWaiting,
  judgeWorkflows,
} from '../judge/work.ts';

/** Stale runs and handlers that are listed. */
const LISTED = 100;

async function nowOf(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>({ text: 'SELECT now() AS now' });
  return rows[0]?.now ?? new Date(0);
}

/** Every check of a database that answers. */
export function databaseChecks(db: Db): Check[] {
  const on = asQueryable(db);
  let migrations: Promise<MigrationStatus> | undefined;
  const status = (): Promise<MigrationStatus> => (migrations ??= migrationStatus(on));
  /** What an older schema lacks is no news beside its pending migrations. */
  const onSchema = (look: () => Promise<readonly Finding[]>) => async (): Promise<readonly Finding[]> => {
    try {
      return await look();
    } catch (error) {
      if (!isNotThere(error)) throw error;
      const { plan } = await status();
      if (plan.type === 'apply' && plan.pending.length > 0) return [];
      throw error;
    }
  };
  const check = (
    subject: Check['subject'],
    name: string,
    look: () => Promise<readonly Finding[]>,
  ): Check => ({
    subject,
    name,
    run: onSchema(look),
  });
  return [
    check('database', 'the server', () => lookAtServer(on)),
    check('database', 'migrations', async () => [judgeMigrations(await status())]),
    check('database', 'rights', async () => judgeGrants(await inspectGrants(on))),
    check('database', 'load', async () => judgeLoad(await databaseHealth(db))),
    check('database', 'open transactions', async () => [
      judgeTransactions(await longTransactions(on, DOCTOR_LIMITS.transactionSeconds)),
    ]),
    check('database', 'tables', async () => [judgeTables(await listTables(db))]),
    check('database', 'indexes', async () => [judgeIndexes(await invalidIndexes(on))]),
    check('workers', 'workers', async () => {
      const [now, workers, unserved] = await Promise.all([
        nowOf(on),
        listWorkers(db),
        unservedWork(on, DOCTOR_LIMITS.unservedMs, LISTED),
      ]);
      return judgeWorkers({ now, workers, unserved });
    }),
    check('schedulers', 'schedulers', async () => {
      const [scheduling, locks] = await Promise.all([
        schedulingStatus(on),
        listLocks(on, { prefix: SCHEDULER_LOCKS }),
      ]);
      return judgeSchedulers({ status: scheduling, locks });
    }),
    check('work', 'leases', async () => {
      const [now, runs] = await Promise.all([nowOf(on), lostRuns(on, DOCTOR_LIMITS.leaseMs, LISTED)]);
      return [judgeLost({ now, runs, isCut: runs.length === LISTED })];
    }),
    check('work', 'waiting runs', async () => {
      const [now, stale] = await Promise.all([nowOf(on), staleRuns(db, DOCTOR_LIMITS.waitingMs, LISTED)]);
      const runs = stale.filter(({ reason }) => reason === 'waiting');
      return [judgeWaiting({ now, runs, isCut: stale.length === LISTED })];
    }),
    check('work', 'workflows', async () => {
      const overdue = await overdueWorkflows(on, DOCTOR_LIMITS.workflowMs);
      return [judgeWorkflows(overdue, await nowOf(on))];
    }),
    check('work', 'concurrency keys', async () => [judgeHolds(await leftHolds(on, DOCTOR_LIMITS.holdsMs))]),
    check('work', 'dead letters', () => lookAtDeadLetters(db)),
    check('work', 'lanes', async () => judgePausedLanes(await pausedLanes(on))),
  ];
}

async function lookAtServer(on: Queryable): Promise<readonly Finding[]> {
  // The first question pays for the connection; the clock is read by one that does not.
  await nowOf(on);
  const asked = Date.now();
  const facts = await inspectServer(on);
  return judgeServer(facts, Math.round((asked + Date.now()) / 2 - facts.now.getTime()));
}

async function lookAtDeadLetters(db: Db): Promise<readonly Finding[]> {
  const [groups, now] = await Promise.all([deadLetterGroups(db, 1), nowOf(asQueryable(db))]);
  const open = groups.filter(({ pending }) => pending > 0);
  const dates = open.flatMap(({ oldestPendingAt }) => oldestPendingAt?.getTime() ?? []);
  return [
    judgeDeadLetters({
      pending: open.reduce((sum, { pending }) => sum + pending, 0),
      oldestAt: dates.length === 0 ? null : new Date(Math.min(...dates)),
      handlers: [...new Set(open.map(({ kind, name }) => `${kind}:${name}`))],
      now,
    }),
  ];
}
