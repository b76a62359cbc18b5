/** The verdict over a bed: what was written down inside and outside, compared in SQL, and counted. */
import type { Bed } from '../bed/bed.ts';
import type { FaultReport } from '../fault-report.ts';
import type { Fault } from '../faults/fault.ts';
import type { FaultName } from '../faults/index.ts';
import { until } from '../pause.ts';
import { readJournal } from '../worker/journal.ts';
import { recordEvidence } from './evidence.ts';
import { findViolations } from './invariants.ts';

const WAIT_FOR_POSTGRES_MS = 30_000;

export type Verdict = Pick<
  FaultReport,
  'runs' | 'completed' | 'deadLetters' | 'unlucky' | 'leasesLost' | 'handedBack' | 'violations'
>;

const COUNTS = `SELECT count(*)::int AS runs, count(*) FILTER (WHERE status = 'completed')::int AS completed,
  count(*) FILTER (WHERE status = 'dead_lettered')::int AS dead_letters,
  (SELECT count(*)::int FROM runs r JOIN chaos.planned p ON p.key = r.idempotency_key WHERE r.correlation_id = $1
    AND r.status = 'dead_lettered' AND NOT 'dead_lettered' = ANY (p.expected)) AS unlucky,
  (SELECT count(*)::int FROM run_events e JOIN runs r ON r.id = e.run_id WHERE r.correlation_id = $1
    AND (e.event_type = 'lease_expired' OR e.terminal AND e.source = 'reaper')) AS leases_lost,
  (SELECT count(*)::int FROM run_events e JOIN runs r ON r.id = e.run_id WHERE r.correlation_id = $1
    AND e.event_type = 'handed_back') AS handed_back
FROM runs WHERE correlation_id = $1`;

/** Checks every invariant, and counts what became of the runs of this fault. */
export async function judge(bed: Bed, fault: Fault, name: FaultName): Promise<Verdict> {
  await bed.metrics.sample();
  const up = await until(() => answers(bed), AbortSignal.timeout(WAIT_FOR_POSTGRES_MS), 100);
  if (!up) bed.problem('Postgres did not come back');
  for (const worker of await bed.silentWorkers()) bed.problem(`${worker} runs and is not heard of`);
  await recordEvidence(bed.admin, {
    promised: bed.load.promised,
    planned: bed.load.planned,
    starts: readJournal(bed.journalFile).starts,
    losesLeases: bed.mayLoseLeases(fault.losesLeases),
  });
  const violations = await findViolations(bed.admin);
  const { rows } = await bed.admin.query<{
    runs: number;
    completed: number;
    dead_letters: number;
    unlucky: number;
    leases_lost: number;
    handed_back: number;
  }>(COUNTS, [name]);
  return {
    runs: rows[0]?.runs ?? 0,
    completed: rows[0]?.completed ?? 0,
    deadLetters: rows[0]?.dead_letters ?? 0,
    unlucky: rows[0]?.unlucky ?? 0,
    leasesLost: rows[0]?.leases_lost ?? 0,
    handedBack: rows[0]?.handed_back ?? 0,
    violations,
  };
}

async function answers(bed: Bed): Promise<boolean> {
  return bed.admin.query('SELECT 1').then(
    () => true,
    () => false,
  );
}
