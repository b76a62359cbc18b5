/** Which capture a calculation works on, and how its partition is called. */
import { sha256Hex } from '@spine/core';
import type { DbTransaction, PartitionKey } from '@spine/database';
import { CALCS } from '../calcs/registry.ts';
import type { CalcName } from '../calcs/registry.ts';
import type { CalcVersion } from '../calcs/calc-versions.ts';
import { MissingInputError } from '../errors.ts';
import { captureById, describeWeek, newestCapture } from '../tables/captures.ts';
import type { Capture, TierWeek } from '../tables/captures.ts';
import { aggregatedCapture, isNormalized } from '../tables/inputs.ts';
import type { CaptureVersion } from '../tables/inputs.ts';
import { AGGREGATE_WEEK, NORMALIZE_WEEK } from './names.ts';
import type { CaptureParams } from './params.ts';
import type { StepInputs } from './step.ts';

export interface CaptureInputs extends StepInputs {
  readonly capture: Capture;
  /** The version of the rows that are read. */
  readonly upstream: CaptureVersion;
}

/** The week and tier of params. */
export function tierWeekOf({ week_ending, tier }: CaptureParams): TierWeek {
  return { weekEnding: week_ending.date, tier };
}

/** One run at a time of a calculation of a week and tier. */
export function lockOf(
  calc: CalcName,
  { week_ending, tier }: Pick<CaptureParams, 'week_ending' | 'tier'>,
): string {
  return `${calc}:${tier}:${week_ending.date}`;
}

/**
 * The manifest's key: the week and tier as they are known now, by the current version. An older capture and another version
 * have entries of their own, so that building them again says nothing about today's.
 */
export function partitionOf(
  calc: CalcName,
  version: CalcVersion,
  capture: Capture,
  newest: Capture | null,
): PartitionKey {
  const { captureId, weekEnding, tier } = capture;
  return {
    week_ending: weekEnding,
    tier,
    ...(newest === null || newest.captureId === captureId ? {} : { capture_id: captureId }),
    ...(version === CALCS.current(calc) ? {} : { calc_version: version }),
  };
}

/** @throws MissingInputError when the week was never normalized, or the capture asked for was not. */
export async function normalizedInputs(
  trx: DbTransaction,
  calc: CalcName,
  version: CalcVersion,
  params: CaptureParams,
): Promise<CaptureInputs> {
  const of = tierWeekOf(params);
  const newest = await newestCapture(trx, of);
  const requested = params.capture_id;
  const capture = requested === undefined ? newest : await captureById(trx, of, requested);
  const calcVersion = CALCS.current('normalize');
  if (capture === null || !(await isNormalized(trx, { captureId: capture.captureId, calcVersion }))) {
    const what = requested === undefined ? describeWeek(of) : `capture ${requested} of ${describeWeek(of)}`;
    throw new MissingInputError(
      `there are no normalized rows (${calcVersion}) of ${what}; run ${NORMALIZE_WEEK} for it first`,
    );
  }
  return inputsOf(calc, version, capture, newest, 'normalize', calcVersion);
}

/** @throws MissingInputError when the week was never aggregated, or the capture asked for was not. */
export async function aggregatedInputs(
  trx: DbTransaction,
  calc: CalcName,
  version: CalcVersion,
  params: CaptureParams,
): Promise<CaptureInputs> {
  const of = tierWeekOf(params);
  const calcVersion = CALCS.current('symbol_summary');
  const newest = await newestCapture(trx, of);
  const requested = params.capture_id;
  const captureId = await aggregatedCapture(trx, of, calcVersion, requested ?? null);
  const capture = captureId === null ? null : await captureById(trx, of, captureId);
  if (capture === null) {
    const what = requested === undefined ? describeWeek(of) : `capture ${requested} of ${describeWeek(of)}`;
    throw new MissingInputError(
      `there is no symbol summary (${calcVersion}) of ${what}; run ${AGGREGATE_WEEK} for it first`,
    );
  }
  return inputsOf(calc, version, capture, newest, 'symbol_summary', calcVersion);
}

function inputsOf(
  calc: CalcName,
  version: CalcVersion,
  capture: Capture,
  newest: Capture | null,
  upstream: CalcName,
  calcVersion: CalcVersion,
): CaptureInputs {
  const { captureId } = capture;
  return {
    capture,
    upstream: { captureId, calcVersion },
    captureIds: [captureId],
    partitionKey: partitionOf(calc, version, capture, newest),
    identity: { capture_id: captureId, [`${upstream}_version`]: calcVersion },
  };
}

/** Names a set of captures, given in their order. */
export function captureSetOf(captureIds: readonly string[]): string {
  return sha256Hex(captureIds.join('\n'));
}

/** The columns that every row of a capture's calculation has. */
export function capturedBy(capture: Capture, calcVersion: CalcVersion, runId: string) {
  const { captureId, capturedAt, weekEnding, tier } = capture;
  return {
    capture_id: captureId,
    calc_version: calcVersion,
    week_ending: weekEnding,
    tier,
    captured_at: capturedAt,
    run_id: runId,
  };
}
