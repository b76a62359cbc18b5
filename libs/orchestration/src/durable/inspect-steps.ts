/** The steps of a workflow run as they are shown. Reads only, within the snapshot of the caller. */
import type { ErrorInfo, JsonObject } from '@spine/core';
import { readApprovals, readShownRecords, readTimers, readUnitTimes } from '@spine/database';
import type { ApprovalRecord, DbTransaction, UnitTimes } from '@spine/database';
import type { StepState, StepStatus } from '../engine/state.ts';
import { timerKey, unitKey } from '../engine/unit.ts';
import type { Step } from '../workflow/model.ts';
import type { QualityMetrics } from '../workflow/quality-metrics.ts';
import type { WorkflowSnapshot } from './inspect-snapshot.ts';
import { waitsFor } from './inspect-waits.ts';
import type { WaitsFor } from './inspect-waits.ts';

export interface StepView {
  readonly name: string;
  readonly kind: Step['kind'];
  readonly status: StepStatus;
  /** How often it has started. */
  readonly attempts: number;
  /** Null unless it has completed, or where `omitted`. */
  readonly output: JsonObject | null;
  /** Whether the output is too large to be shown here. */
  readonly omitted: boolean;
  readonly error: ErrorInfo | null;
  /** Why it was skipped. */
  readonly reason: string | null;
  /** Added by the run itself, or by somebody, while it ran. */
  readonly added: boolean;
  readonly waitsFor: WaitsFor | null;
  /** The run of the last attempt; null for a step that needs none. */
  readonly runId: string | null;
  /** When its first attempt was started; null for waits and choices, which need no run. */
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly map: MapView | null;
  /** What its last answer has said about the data. */
  readonly quality: QualityMetrics | null;
  /** Of its compensation. */
  readonly undo: string | null;
}

export interface MapView {
  readonly count: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly notStarted: number;
}

const UNTOUCHED = { attempt: 0, error: null, reason: null, output: null, map: null, undo: null, timer: null };

/** Steps of a snapshot, in this order. Outputs that make a record larger than `maxBytes` are left out. */
export async function stepViews(
  trx: DbTransaction,
  { run, definition, head, graph, statusOf }: WorkflowSnapshot,
  names: readonly string[],
  maxBytes: number,
): Promise<StepView[]> {
  const { runId } = run;
  const records = await readShownRecords(trx, runId, 'step', names, { maxBytes, large: ['output'] });
  const stateOf = (name: string) => records.get(name)?.value as StepState | undefined;
  const units = names.map((name) => unitOf(name, graph.step(name)?.kind));
  const times = await readUnitTimes(trx, runId, units);
  const timers = await readTimers(
    trx,
    runId,
    names.flatMap((name) => timerOf(name, stateOf(name)) ?? []),
  );
  const asked = names.filter((name) => graph.step(name)?.kind === 'approval');
  const approvals = await readApprovals(trx, runId, asked);
  const defined = new Set(definition.steps.map(({ name }) => name));
  return names.map((name): StepView => {
    const state = stateOf(name);
    const { attempt, error, reason, output, map, undo } = state ?? UNTOUCHED;
    const kind = graph.step(name)?.kind ?? 'lambda';
    const unit = times.get(unitOf(name, kind));
    const approval = approvals.get(name) ?? null;
    const status = statusOf(name);
    return {
      name,
      kind,
      status,
      attempts: attempt,
      output: status === 'completed' ? (output ?? null) : null,
      omitted: status === 'completed' && records.get(name)?.omitted === true,
      error,
      reason,
      added: !defined.has(name),
      waitsFor: waitsFor(
        name,
        { status, map },
        {
          head,
          graph,
          statusOf,
          paused: run.status === 'paused',
          timer: timers.get(timerOf(name, state) ?? '') ?? null,
          approval,
          attemptRunId: unit?.last.runId ?? null,
        },
      ),
      runId: kind === 'map' ? null : (unit?.last.runId ?? null),
      ...timesOf(kind, unit, approval, status),
      map: map === null ? null : mapView(map),
      quality: state?.quality ?? null,
      undo: undo?.status ?? null,
    };
  });
}

/** Under which the runs of a step are recorded; of a map the ones of its first item. */
function unitOf(name: string, kind: Step['kind'] | undefined): string {
  return kind === 'map' ? unitKey({ type: 'item', step: name, index: 0 }) : name;
}

function timerOf(name: string, state: Pick<StepState, 'attempt' | 'timer'> | undefined): string | null {
  if (state === undefined || state.timer === null) return null;
  return timerKey(name, state.attempt, state.timer);
}

const OPEN: ReadonlySet<StepStatus> = new Set(['pending', 'ready', 'running', 'retrying']);

function timesOf(
  kind: Step['kind'],
  unit: UnitTimes | undefined,
  approval: ApprovalRecord | null,
  status: StepStatus,
): Pick<StepView, 'startedAt' | 'endedAt'> {
  if (kind === 'approval') {
    return {
      startedAt: approval?.askedAt ?? null,
      endedAt: approval?.decidedAt ?? approval?.withdrawnAt ?? null,
    };
  }
  const ended = kind === 'map' || OPEN.has(status) ? null : (unit?.last.completedAt ?? null);
  return { startedAt: unit?.begunAt ?? null, endedAt: ended };
}

function mapView({ count, next, running, succeeded, failed }: NonNullable<StepState['map']>): MapView {
  return { count, running, succeeded, failed, notStarted: Math.max(0, count - next) };
}
