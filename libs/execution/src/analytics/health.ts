/**
 * How well the engine does, as one number. Pure: the same facts give the same score, and no fact that gets worse ever
 * raises it.
 *
 * Each check takes away its weight times how bad it is (0 at or below `from`, 1 at or above `to`, a straight line in
 * between). The weights add up to 100. Two facts also limit the score whatever the rest says, because nothing else matters
 * while they hold.
 */

/** What the score is made from. */
export interface HealthFacts {
  /** Runs of the last hour that ended by themselves, cancelled ones not counted. */
  readonly ended: number;
  /** Of them, those that did not complete. */
  readonly failed: number;
  /** Attempts started by the runs of the last hour. */
  readonly attempts: number;
  /** Of them, those whose worker went silent. */
  readonly crashes: number;
  readonly pendingDeadLetters: number;
  /** Runs that have been due for longer than five minutes, paused lanes not counted. */
  readonly staleWaiting: number;
  /** Runs whose lease or deadline has been over for five minutes: a reaper takes them within seconds. */
  readonly staleRunning: number;
  /** Runs that could start now, paused lanes not counted. */
  readonly due: number;
  /** Of them, those in lanes that no live worker serves. */
  readonly dueUnserved: number;
  /** How long the oldest of them has been due; 0 for none. */
  readonly oldestDueSeconds: number;
  readonly liveWorkers: number;
}

export const HEALTH_GRADES = ['healthy', 'degraded', 'unhealthy', 'critical'] as const;
export type HealthGrade = (typeof HEALTH_GRADES)[number];

export const HEALTH_CHECKS = [
  'workers',
  'failure_rate',
  'queue_age',
  'stale_runs',
  'crash_rate',
  'dead_letters',
] as const;
export type HealthCheck = (typeof HEALTH_CHECKS)[number];

export interface HealthReason {
  readonly check: HealthCheck;
  /** Points taken away, above 0. */
  readonly penalty: number;
  /** For people. */
  readonly message: string;
}

export interface Health {
  /** 0 to 100, a whole number. */
  readonly score: number;
  readonly grade: HealthGrade;
  /** What took points away, the most first; empty at 100. */
  readonly reasons: readonly HealthReason[];
}

/** Points each check can take away. */
export const HEALTH_WEIGHTS: Readonly<Record<HealthCheck, number>> = {
  workers: 25,
  failure_rate: 25,
  queue_age: 15,
  stale_runs: 15,
  crash_rate: 10,
  dead_letters: 10,
};

/** The least score of each grade. */
export const GRADE_FROM: Readonly<Record<HealthGrade, number>> = {
  healthy: 90,
  degraded: 70,
  unhealthy: 40,
  critical: 0,
};

/** The most the score can be while work is due and no live worker serves it. */
export const NO_WORKER_LIMIT = 39;
/** The most the score can be while runs of silent workers are not taken back. */
export const NO_REAPER_LIMIT = 69;

/** Rates of fewer than this say less, and count for less. */
const ENOUGH = 10;

interface Finding {
  /** 0 to 1. */
  readonly severity: number;
  readonly message: string;
}

function between(from: number, to: number, value: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)));
}

function many(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

/** How bad a rate is; a rate over few things counts for its share of {@link ENOUGH}. */
function rate(part: number, whole: number, from: number, to: number): number {
  return whole === 0 ? 0 : between(from, to, part / whole) * Math.min(1, whole / ENOUGH);
}

function workers(facts: HealthFacts): Finding {
  const { due, dueUnserved, liveWorkers } = facts;
  if (liveWorkers === 0) {
    const severity = due > 0 ? 1 : 0.4;
    return {
      severity,
      message: `no worker is live${due > 0 ? `, and ${many(due, 'run is', 'runs are')} due` : ''}`,
    };
  }
  const severity = dueUnserved === 0 ? 0 : 0.4 + 0.6 * between(0, 100, dueUnserved);
  return {
    severity,
    message: `${many(dueUnserved, 'run is', 'runs are')} due in lanes that no live worker serves`,
  };
}

function staleRuns({ staleWaiting, staleRunning }: HealthFacts): Finding {
  const severity = Math.max(between(0, 100, staleWaiting), staleRunning > 0 ? 1 : 0);
  const waiting = `${many(staleWaiting, 'run has', 'runs have')} been due for more than five minutes`;
  const running = `${many(staleRunning, 'run of silent workers has', 'runs of silent workers have')} not been taken back; is a scheduler running?`;
  const parts = [...(staleRunning > 0 ? [running] : []), ...(staleWaiting > 0 ? [waiting] : [])];
  return { severity, message: parts.join('; ') };
}

const FINDINGS: Readonly<Record<HealthCheck, (facts: HealthFacts) => Finding>> = {
  workers,
  stale_runs: staleRuns,
  failure_rate: ({ failed, ended }) => ({
    severity: rate(failed, ended, 0.01, 0.2),
    message: `${failed} of ${ended} runs (${percent(failed, ended)}) that ended in the last hour did not complete`,
  }),
  queue_age: ({ oldestDueSeconds }) => ({
    severity: between(60, 900, oldestDueSeconds),
    message: `the oldest due run has waited for ${Math.round(oldestDueSeconds)} s`,
  }),
  crash_rate: ({ crashes, attempts }) => ({
    severity: rate(crashes, attempts, 0.005, 0.1),
    message: `${crashes} of ${attempts} attempts (${percent(crashes, attempts)}) lost their worker`,
  }),
  dead_letters: ({ pendingDeadLetters }) => ({
    severity: between(0, 100, pendingDeadLetters),
    message: `${many(pendingDeadLetters, 'dead letter is', 'dead letters are')} pending`,
  }),
};

function limitOf(facts: HealthFacts): number {
  if (facts.liveWorkers === 0 && facts.due > 0) return NO_WORKER_LIMIT;
  return facts.staleRunning > 0 ? NO_REAPER_LIMIT : 100;
}

function gradeOf(score: number): HealthGrade {
  return HEALTH_GRADES.find((grade) => score >= GRADE_FROM[grade]) ?? 'critical';
}

/** Scores the facts; says what took points away. */
export function scoreHealth(facts: HealthFacts): Health {
  const reasons = HEALTH_CHECKS.flatMap((check): HealthReason[] => {
    const { severity, message } = FINDINGS[check](facts);
    const penalty = Math.round(HEALTH_WEIGHTS[check] * severity * 10) / 10;
    return penalty === 0 ? [] : [{ check, penalty, message }];
  }).sort((a, b) => b.penalty - a.penalty);
  const left = 100 - reasons.reduce((sum, { penalty }) => sum + penalty, 0);
  const score = Math.max(0, Math.min(limitOf(facts), Math.floor(left)));
  return { score, grade: gradeOf(score), reasons };
}
