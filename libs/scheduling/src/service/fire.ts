/**
 * Starting runs of occurrences that somebody asks for: now, or again for a range. Each is stored with its row of
 * history.
 */
import { ValidationError } from '@spine/core';
import { asQueryable, insertRuns, recordDecisions } from '@spine/database';
import type { Db, NewRun, NewScheduleRun, Queryable, ScheduleOrigin, ScheduleRecord } from '@spine/database';
import type { Dispatcher, Payloads, WorkSpec } from '@spine/execution';
import { workOf } from './work.ts';

export interface FireDependencies {
  readonly db: Db;
  readonly dispatcher: Dispatcher;
  /** Takes params that are too large for a run's row. */
  readonly payloads: Payloads;
}

export interface AskedOccurrence {
  readonly fireAt: Date;
  readonly previousFireAt: Date | null;
  /** Added to its start. */
  readonly delayMs: number;
}

export interface FireRequest {
  readonly schedule: ScheduleRecord;
  readonly occurrences: readonly AskedOccurrence[];
  readonly origin: Exclude<ScheduleOrigin, 'schedule'>;
  /** The database's time. */
  readonly now: Date;
  readonly by: string;
  /** The last word on each spec. */
  readonly adapt?: (spec: WorkSpec) => WorkSpec;
}

/** A run that was started. */
export interface StartedOccurrence {
  readonly fireAt: Date;
  readonly runId: string;
}

/**
 * Starts those of the occurrences that have not been started with this origin before.
 *
 * @throws ValidationError when the handler refuses the params; then nothing was started.
 */
export async function fireOccurrences(
  { db, dispatcher, payloads }: FireDependencies,
  request: FireRequest,
): Promise<readonly StartedOccurrence[]> {
  const prepared = await Promise.all(
    request.occurrences.map((occurrence) => prepareRun(dispatcher, request, occurrence)),
  );
  const hinted = dispatcher.hinting;
  const started = await db
    .transaction()
    .execute((trx) => storeFresh(asQueryable(trx), prepared, { by: request.by, hinted, payloads }));
  dispatcher.announce(
    started.map(({ run }) => run),
    hinted,
  );
  return started.map(({ decision, run }) => ({ fireAt: decision.fireAt, runId: run.runId }));
}

interface Prepared {
  readonly decision: NewScheduleRun;
  readonly run: NewRun;
}

async function storeFresh(
  on: Queryable,
  prepared: readonly Prepared[],
  { by, hinted, payloads }: { readonly by: string; readonly hinted: boolean; readonly payloads: Payloads },
): Promise<readonly Prepared[]> {
  const fresh = await recordDecisions(
    on,
    prepared.map(({ decision }) => decision),
    by,
  );
  const started = prepared.filter((_, index) => fresh.has(index));
  const runs = await Promise.all(started.map(({ run }) => payloads.stow(run)));
  await insertRuns(on, runs, { ambiguous: false, hinted });
  return started;
}

async function prepareRun(
  dispatcher: Dispatcher,
  { schedule, origin, now, adapt = (spec) => spec }: FireRequest,
  { fireAt, previousFireAt, delayMs }: AskedOccurrence,
): Promise<Prepared> {
  const late = origin === 'backfill';
  const queued = schedule.overlapPolicy === 'queue';
  const spec = adapt(workOf(schedule, { fireAt, previousFireAt, origin, late, delayMs, queued, now }));
  const prepared = await dispatcher.prepare(spec, { allowUnknown: 'unasked' });
  if (prepared.type !== 'prepared') {
    const issues = prepared.type === 'invalid' ? prepared.issues : [];
    throw new ValidationError(
      `the run of ${fireAt.toISOString()} is refused: ${issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ')}`,
      { issues },
    );
  }
  const { run } = prepared;
  return {
    run,
    decision: {
      scheduleId: schedule.scheduleId,
      fireAt,
      throughAt: fireAt,
      occurrences: 1,
      origin,
      status: 'FIRED',
      skipReason: null,
      runId: run.runId,
      lateMs: Math.max(now.getTime() - fireAt.getTime(), 0),
    },
  };
}
