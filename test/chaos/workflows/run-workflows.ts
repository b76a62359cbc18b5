/**
 * Workflows in a storm: they are submitted while everything is killed again and again; then everything is left alone until
 * all have ended, and SQL says whether anything was lost, done twice, or came out otherwise than without faults.
 *
 * 1. Work arrives while things break. 2. The storm goes on until the work is done, and is bounded. Healing may take as long as
 * runs go on ending: how fast they do is the machine's affair.
 * 3. The verdict compares what the client, the handlers and the database have written down.
 */
import { performance } from 'node:perf_hooks';
import type { Pool } from '@spine/database';
import type { Bed } from '../bed/bed.ts';
import { recordEvidence } from '../check/evidence.ts';
import { countUnfinished, findViolations } from '../check/invariants.ts';
import type { Violation } from '../check/invariants.ts';
import type { Submission } from '../load/plan.ts';
import { pause, until } from '../pause.ts';
import { Random } from '../random.ts';
import { readJournal } from '../worker/journal.ts';
import { resultWithoutFaults, SEVEN_STEPS } from './definition.ts';
import { COUNTS_SQL, FAILED_ATTEMPTS_SQL, findWorkflowViolations, recordExpected } from './invariants.ts';
import type { WorkflowViolation } from './invariants.ts';
import { allReady, storm } from './storm.ts';

export interface WorkflowPlan {
  readonly seed: number;
  readonly runs: number;
  /** The longest storm. */
  readonly stormMs: number;
  /** Nothing has ended for so long: what is left will not end. */
  readonly stuckMs: number;
}

export interface WorkflowReport {
  readonly seed: number;
  readonly counts: Readonly<Record<string, number>>;
  /** With what attempts have failed that were made again: category, type and message of the error. */
  readonly failedAttempts: Readonly<Record<string, number>>;
  /** What the storm did, by name. */
  readonly effects: Readonly<Record<string, number>>;
  readonly stormSeconds: number;
  readonly healSeconds: number;
  readonly violations: readonly (Violation | WorkflowViolation)[];
  /** What is wrong and no SQL sees. */
  readonly problems: readonly string[];
}

/** The work of a seed: each run under a key of its own, spread over the first part of the storm. */
export function planWorkflows({ seed, runs, stormMs }: WorkflowPlan): Submission[] {
  const random = Random.for(seed, 'workflows');
  return Array.from({ length: runs }, (_, n): Submission => {
    const key = `${seed}/workflow/${n}`;
    return {
      atMs: random.int(0, stormMs / 4),
      twice: random.chance(0.05),
      runs: [
        {
          key,
          spec: {
            kind: 'workflow',
            name: SEVEN_STEPS,
            params: { n },
            idempotency_key: key,
            max_retries: 50,
            retry_delay_seconds: 0.2,
          },
          expected: ['completed'],
          cancelAfterMs: null,
        },
      ],
    };
  });
}

/** Runs the storm on a bed whose workers know the workflows; at the signal it stops, and judges nothing. */
export async function runWorkflows(
  bed: Bed,
  plan: WorkflowPlan,
  signal: AbortSignal,
  say: (line: string) => void = () => undefined,
): Promise<WorkflowReport | 'interrupted'> {
  const submissions = planWorkflows(plan);
  const began = performance.now();
  const giveUp = new AbortController();
  const over = new AbortController();
  const bound = AbortSignal.any([over.signal, signal, AbortSignal.timeout(plan.stormMs)]);
  let answered = false;
  const load = bed.load.run(submissions, giveUp.signal).then(() => (answered = true));
  const breaking = storm(bed, plan.seed, bound);
  // Awaited below; a storm that fails early must not be an unhandled rejection meanwhile.
  breaking.catch(() => over.abort());
  await until(
    async () => {
      const left = await unfinished(bed);
      say(`${bed.load.promised.length} accepted, ${left ?? '?'} runs under way`);
      return answered && left === 0;
    },
    bound,
    1_000,
  );
  over.abort();
  await breaking;
  const stormSeconds = (performance.now() - began) / 1_000;

  const healing = performance.now();
  const healed = await heal(bed, plan.stuckMs, () => answered, signal, say);
  giveUp.abort();
  await load;
  if (signal.aborted) return 'interrupted';
  if (!healed) bed.problem(`nothing had ended for ${plan.stuckMs / 1_000} s, and not everything had`);
  const healSeconds = (performance.now() - healing) / 1_000;
  return {
    seed: plan.seed,
    ...(await verdict(bed, submissions)),
    effects: Object.fromEntries(bed.effects),
    stormSeconds,
    healSeconds,
    problems: bed.problems,
  };
}

/** Waits until everything has ended and every worker is heard of; false when nothing has moved for too long. */
async function heal(
  bed: Bed,
  stuckMs: number,
  isAnswered: () => boolean,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<boolean> {
  let ended = -1;
  let movedAt = performance.now();
  while (!signal.aborted && performance.now() - movedAt < stuckMs) {
    const now = await countEnded(bed.admin).catch(() => ended);
    if (now !== ended) [ended, movedAt] = [now, performance.now()];
    say(`${ended} runs have ended`);
    const left = await unfinished(bed);
    const silent = await bed.silentWorkers().catch(() => ['?']);
    if (isAnswered() && allReady(bed) && left === 0 && silent.length === 0) return true;
    await pause(200, signal);
  }
  return false;
}

async function verdict(
  bed: Bed,
  submissions: readonly Submission[],
): Promise<Pick<WorkflowReport, 'counts' | 'failedAttempts' | 'violations'>> {
  const results = new Map<string, unknown>();
  for (const [n, { runs }] of submissions.entries()) {
    for (const { key } of runs) results.set(key, await resultWithoutFaults(n));
  }
  await recordExpected(bed.admin, results);
  await recordEvidence(bed.admin, {
    promised: bed.load.promised,
    planned: bed.load.planned,
    starts: readJournal(bed.journalFile).starts,
    losesLeases: false,
  });
  await bed.admin.query('ANALYZE');
  const violations = [...(await findViolations(bed.admin)), ...(await findWorkflowViolations(bed.admin))];
  const { rows } = await bed.admin.query<Record<string, number>>(COUNTS_SQL);
  const { rows: failed } = await bed.admin.query<{ what: string; n: number }>(FAILED_ATTEMPTS_SQL);
  const failedAttempts = Object.fromEntries(failed.map(({ what, n }) => [what, n]));
  return { counts: rows[0] ?? {}, failedAttempts, violations };
}

async function countEnded(admin: Pool): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM runs WHERE completed_at IS NOT NULL',
  );
  return rows[0]?.n ?? 0;
}

/** Null while Postgres does not answer. */
function unfinished({ admin }: Bed): Promise<number | null> {
  return countUnfinished(admin).catch(() => null);
}
