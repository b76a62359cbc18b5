/**
 * Runs operations over a range of weeks, each step as a child run.
 *
 * 1. Nothing is remembered between attempts: what is done stands in the manifest, what was submitted is found by its key,
 *    which names this run, the week and the operation. A crash submits nothing twice.
 * 2. While children work this run is put off and holds no slot.
 * 3. All backfills together run at most `CONCURRENT_STEPS` steps at a time, in a lane of their own and at low priority: daily
 *    work does not wait for them.
 */
import { z } from 'zod';
import { assertNever, OrchestrationError, WeekEnding } from '@spine/core';
import type { RunStatus } from '@spine/core';
import type { HandlerContext } from '@spine/execution';
import { operationSpec } from '@spine/execution';
import { BackfillIncompleteError, MissingInputError } from '../errors.ts';
import { stageFacts } from '../tables/stage-facts.ts';
import { DOMAIN, INGEST_WEEK } from '../vocabulary.ts';
import { BACKFILL_OPERATIONS, planBackfill, stepKey } from './backfill-plan.ts';
import type { BackfillOperation, BackfillStep, PlannedStep, StepRun, StepState } from './backfill-plan.ts';
import { tier, weekEnding } from './params.ts';

/** Weeks of one backfill at the most: ten years. */
const MOST_WEEKS = 522;
/** Children that were submitted and have not ended, at the most. */
const OPEN_STEPS = 64;
const CONCURRENT_STEPS = 2;
/** How long the run is put off while children work, in seconds. */
const WAIT_SECONDS = 1;

export const backfillParams = z
  .strictObject({
    from_week: weekEnding.describe('The first week, a Friday.'),
    to_week: weekEnding.describe('The last week, a Friday.'),
    tier,
    operations: z
      .array(z.enum(BACKFILL_OPERATIONS))
      .min(1)
      .default([...BACKFILL_OPERATIONS])
      .describe('What to run, in the order of the week whatever their order here. Default: all of them.'),
  })
  .superRefine(({ from_week, to_week }, ctx) => {
    const refuse = (message: string): void => ctx.addIssue({ code: 'custom', path: ['to_week'], message });
    if (to_week.date < from_week.date) refuse(`${to_week.date} is before from_week, ${from_week.date}`);
    else if (weeksOf(from_week, to_week, MOST_WEEKS + 1).length > MOST_WEEKS)
      refuse(`the range has more than ${MOST_WEEKS} weeks`);
  });
export type BackfillParams = z.output<typeof backfillParams>;

function weeksOf(from: WeekEnding, to: WeekEnding, most: number): WeekEnding[] {
  const weeks: WeekEnding[] = [];
  for (const week of WeekEnding.range(from, to)) {
    weeks.push(week);
    if (weeks.length === most) break;
  }
  return weeks;
}

/** The handler of `operation:finra.otc_transparency.backfill_range`. */
export async function backfillRange(params: BackfillParams, ctx: HandlerContext) {
  const weeks = weeksOf(params.from_week, params.to_week, MOST_WEEKS).map(({ date }) => date);
  const facts = await ctx.transaction((trx) => stageFacts(trx, params.tier, weeks));
  const notIngested = facts.filter(({ stages }) => !stages.has('INGESTED')).map(({ week }) => week);
  if (notIngested.length === weeks.length) {
    throw new MissingInputError(
      `no week of tier ${params.tier} from ${params.from_week.date} to ${params.to_week.date} is ingested; run ${INGEST_WEEK} first`,
    );
  }
  const runs = new Map<string, StepRun>();
  let steps = planBackfill(facts, params.operations, runs);
  for (let next = nextReady(steps); next !== undefined; next = nextReady(steps)) {
    runs.set(stepKey(next), await submit(next, params, ctx));
    steps = planBackfill(facts, params.operations, runs);
  }

  const count = (state: StepState): number => steps.filter((step) => step.state === state).length;
  const [done, failed] = [count('done'), count('failed')];
  const blocked = steps.filter(({ state, week }) => state === 'blocked' && !notIngested.includes(week));
  const open = count('open') + count('waiting');
  ctx.progress(done / steps.length, `${done} of ${steps.length} steps done`);
  if (open > 0) ctx.defer(WAIT_SECONDS, `${done} of ${steps.length} steps done, ${open} to go`);

  const report = {
    tier: params.tier,
    from_week: params.from_week.date,
    to_week: params.to_week.date,
    operations: params.operations,
    weeks: weeks.length,
    not_ingested: notIngested,
    steps: steps.length - notIngested.length * params.operations.length,
    done,
    failed: stepsIn(steps, 'failed'),
    blocked: blocked.map(stepKey),
  };
  await ctx.event('backfill_report', report);
  if (failed + blocked.length > 0) {
    const named = [...report.failed, ...report.blocked].slice(0, 5).join(', ');
    throw new BackfillIncompleteError(
      `${failed} steps failed and ${blocked.length} could not start, among them ${named}; ` +
        'the child runs say why, and the steps before a blocked one must be run or asked for too',
    );
  }
  return report;
}

/** The first step to submit; none while enough are open. */
function nextReady(steps: readonly PlannedStep[]): PlannedStep | undefined {
  if (steps.filter(({ state }) => state === 'open').length >= OPEN_STEPS) return undefined;
  return steps.find(({ state }) => state === 'ready');
}

function stepsIn(steps: readonly PlannedStep[], state: StepState): string[] {
  return steps.filter((step) => step.state === state).map(stepKey);
}

async function submit(
  { week, operation }: BackfillStep,
  params: BackfillParams,
  ctx: HandlerContext,
): Promise<StepRun> {
  const spec = operationSpec(
    nameOf(operation),
    { week_ending: week, tier: params.tier },
    {
      idempotencyKey: `${ctx.run.runId}:${stepKey({ week, operation })}`,
      lane: 'backfill',
      priority: 'low',
      tags: ['backfill'],
      concurrency: [{ key: `${DOMAIN}.backfill`, limit: CONCURRENT_STEPS }],
    },
  );
  const outcome = await ctx.submit(spec);
  switch (outcome.type) {
    case 'accepted':
      return 'open';
    case 'existing':
      return stepRunOf(outcome.run.status);
    case 'fenced':
      ctx.signal.throwIfAborted();
      throw new OrchestrationError('the backfill no longer holds its run', { retryable: true });
    case 'conflict':
    case 'invalid':
    case 'unknown_handler':
      throw new OrchestrationError(
        `step ${stepKey({ week, operation })} was refused: ${JSON.stringify(outcome)}`,
      );
    default:
      return assertNever(outcome);
  }
}

function nameOf(operation: BackfillOperation): string {
  return `${DOMAIN}.${operation}`;
}

function stepRunOf(status: RunStatus): StepRun {
  switch (status) {
    case 'completed':
      return 'completed';
    case 'failed':
    case 'cancelled':
    case 'timed_out':
    case 'dead_lettered':
      return 'failed';
    case 'pending':
    case 'queued':
    case 'running':
    case 'paused':
      return 'open';
    default:
      return assertNever(status);
  }
}
