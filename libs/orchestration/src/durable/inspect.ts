/**
 * Where a workflow run is: its steps, what each of them waits for, and what the run waits for from outside.
 *
 * 1. All of an answer is one snapshot of the database, and nothing of the run is touched. 2. Steps and items come in pages,
 * questions and timers up to {@link INSPECT_LIMITS}; what is larger than `valueBytes` is left out and `omitted` says so.
 */
import type { JsonObject } from '@spine/core';
import { readOpenApprovals, readOpenTimers } from '@spine/database';
import type { ApprovalRecord, DbTransaction, OpenTimer, RunRecord } from '@spine/database';
import type { RunOutcome, RunPhase, StepStatus } from '../engine/state.ts';
import { INSPECT_LIMITS, look } from './inspect-look.ts';
import type { Inspected, InspectServices } from './inspect-look.ts';
import { drawRun } from './inspect-picture.ts';
import type { RunPicture } from './inspect-picture.ts';
import type { WorkflowSnapshot } from './inspect-snapshot.ts';
import { stepViews } from './inspect-steps.ts';
import type { StepView } from './inspect-steps.ts';

export interface SignalView {
  readonly name: string;
  readonly data: JsonObject | null;
  readonly omitted: boolean;
}

export interface WorkflowView {
  readonly run: RunRecord;
  readonly name: string;
  readonly version: number;
  readonly hash: string;
  /** `suspended`: its run is paused or waits for a worker. */
  readonly engine: 'active' | 'suspended' | 'ended';
  /** Of the plan: `new`, `running`, `stopping`, `undoing`, `handling` or `ended`. */
  readonly phase: RunPhase['type'];
  readonly outcome: RunOutcome | null;
  readonly environment: string;
  readonly ancestors: readonly string[];
  /** Events in its history. */
  readonly events: number;
  readonly progress: {
    readonly total: number;
    /** Steps that have settled, however. */
    readonly settled: number;
    readonly byStatus: Readonly<Partial<Record<StepStatus, number>>>;
  };
  readonly undoFailures: number;
  readonly steps: readonly StepView[];
  /** Pass as `after` for what follows; null at the end. */
  readonly nextAfter: string | null;
  readonly approvals: readonly ApprovalRecord[];
  readonly timers: readonly OpenTimer[];
  readonly signals: readonly SignalView[];
  readonly forkedFrom: string | null;
  /** Null unless one was asked for. */
  readonly picture: string | null;
}

export interface ViewRequest {
  /** The last step of the page before; null for the first page. An unknown one shows nothing. */
  readonly after: string | null;
  readonly limit: number;
  readonly picture?: RunPicture | undefined;
}

export function inspectWorkflowRun(
  services: InspectServices,
  runId: string,
  request: ViewRequest,
): Promise<Inspected<WorkflowView>> {
  return look(services, runId, (trx, snapshot) => viewOf(trx, snapshot, request));
}

async function viewOf(
  trx: DbTransaction,
  snapshot: WorkflowSnapshot,
  { after, limit, picture }: ViewRequest,
): Promise<WorkflowView> {
  const { run, record, definition, head, graph, statusOf } = snapshot;
  const names = graph.names();
  const from = after === null ? 0 : names.indexOf(after) + 1;
  const shown = after !== null && from === 0 ? [] : names.slice(from, from + limit);
  const byStatus: Partial<Record<StepStatus, number>> = {};
  for (const name of names) byStatus[statusOf(name)] = (byStatus[statusOf(name)] ?? 0) + 1;
  const { phase } = head;
  return {
    run,
    name: record.name,
    version: record.version,
    hash: definition.hash,
    engine: record.status,
    phase: phase.type,
    outcome: phase.type === 'new' || phase.type === 'running' ? null : phase.outcome,
    environment: head.environment,
    ancestors: head.ancestors,
    events: record.seq,
    progress: { total: names.length, settled: settledOf(byStatus), byStatus },
    undoFailures: head.undoFailures,
    steps: await stepViews(trx, snapshot, shown, INSPECT_LIMITS.valueBytes),
    nextAfter: from + limit < names.length ? (shown.at(-1) ?? null) : null,
    approvals: await readOpenApprovals(trx, run.runId, INSPECT_LIMITS.open),
    timers: await readOpenTimers(trx, run.runId, INSPECT_LIMITS.open),
    signals: Object.entries(head.signals).map(([name, data]) => {
      const omitted = Buffer.byteLength(JSON.stringify(data)) > INSPECT_LIMITS.valueBytes;
      return { name, data: omitted ? null : data, omitted };
    }),
    forkedFrom: forkedFromOf(run),
    picture: picture === undefined ? null : drawRun(snapshot, picture),
  };
}

function settledOf(counts: Readonly<Partial<Record<StepStatus, number>>>): number {
  const { completed = 0, failed = 0, skipped = 0, not_taken = 0, cancelled = 0 } = counts;
  return completed + failed + skipped + not_taken + cancelled;
}

/** The run that another one was forked from, as its metadata says. */
export function forkedFromOf({ metadata }: Pick<RunRecord, 'metadata'>): string | null {
  const from = metadata['forked_from'];
  return typeof from === 'string' ? from : null;
}
