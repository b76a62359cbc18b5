/**
 * Whether a run of a workflow may begin now: a pure decision about the run, its policy, its partition, and who is under way.
 *
 * 1. A run that has begun (it was paused, or goes on for another) is never skipped and never given up: it waits.
 * 2. Never more than `maxRuns` are under way: a run that cancels others begins when they have ended.
 * 3. Of a partition one run is under way; one that another has completed is skipped, unless it is forced.
 * 4. Who was told that it is his turn goes before those behind him in the line.
 */
import { assertNever, isTerminal, sha256Hex } from '@spine/core';
import { compareInLine } from '@spine/database';
import type {
  AdmissionFacts,
  ConcurrencyGate,
  GateKey,
  PartitionState,
  RoomWait,
  RunAtGate,
} from '@spine/database';
import { admitWorkflowRun } from '../workflow/concurrency.ts';
import type { ConcurrencyPolicy } from '../workflow/model.ts';

/** What a run asks for. */
export interface AdmissionRequest {
  readonly name: string;
  readonly policy: ConcurrencyPolicy | undefined;
  /** Canonical JSON; null for a run that is not tracked. */
  readonly partitionKey: string | null;
  /** Also a partition that is completed. */
  readonly force: boolean;
  /** Goes on for a run that has ended. */
  readonly continues: boolean;
}

export interface CancelledForRoom {
  readonly runId: string;
  /** Is undone. Otherwise nothing has been done. */
  readonly begun: boolean;
}

export type AdmissionDecision =
  /** It takes a place at each of the gates. */
  | { readonly type: 'start'; readonly keys: readonly string[]; readonly cancel: readonly CancelledForRoom[] }
  | { readonly type: 'wait'; readonly wait: RoomWait; readonly cancel: readonly CancelledForRoom[] }
  /** It ends without having begun. `runId`: the run that is the reason. */
  | { readonly type: 'skip'; readonly reason: string; readonly runId: string | null };

/** A partition whose last run is just ending is looked at again after so long. */
const ENDING_MS = 500;
/** A partition that a paused run occupies, for a run that may not be skipped. */
const OCCUPIED_MS = 30_000;
const READABLE_KEY = 200;

export interface AdmissionGates {
  readonly place: ConcurrencyGate | null;
  readonly partition: ConcurrencyGate | null;
}

/** The gates of a run; both null for one that anything goes for. */
export function gatesOf({
  name,
  policy,
  partitionKey,
}: Pick<AdmissionRequest, 'name' | 'policy' | 'partitionKey'>): AdmissionGates {
  const gate = (key: string, limit: number): ConcurrencyGate => ({
    type: 'concurrency',
    key,
    limit,
    // A retry or a replay of the run asks anew.
    from: 'handler',
  });
  return {
    place: policy === undefined ? null : gate(`workflow:${name}`, policy.maxRuns),
    partition: partitionKey === null ? null : gate(partitionGateKey(name, partitionKey), 1),
  };
}

/** Where a run may have had its place. @param definition null where it is not at hand. */
export function admissionGates(
  { name, partitionKey }: { readonly name: string; readonly partitionKey: string | null },
  definition: { readonly concurrency?: ConcurrencyPolicy } | null = null,
): readonly GateKey[] {
  const policy = definition === null ? { maxRuns: 1 } : definition.concurrency;
  const { place, partition } = gatesOf({ name, policy, partitionKey });
  return [place, partition].filter((gate) => gate !== null).map(({ type, key }) => ({ type, key }));
}

function partitionGateKey(name: string, partitionKey: string): string {
  const key = `workflow:${name} ${partitionKey}`;
  return key.length <= READABLE_KEY ? key : `workflow:${name} #${sha256Hex(partitionKey)}`;
}

/** Gates whose lines are to be known in full. */
export function linesToKnow({ policy }: AdmissionRequest, { place }: AdmissionGates): readonly string[] {
  return place !== null && policy?.onConflict === 'cancel_existing' ? [place.key] : [];
}

/** @param partition of the request's partition; null without one. */
export function decideAdmission(
  request: AdmissionRequest,
  facts: AdmissionFacts,
  partition: PartitionState | null,
): AdmissionDecision {
  const gates = gatesOf(request);
  const begun = facts.begun || request.continues;
  const atPartition =
    gates.partition === null || partition === null
      ? null
      : decidePartition({ ...request, begun }, facts, partition, gates.partition);
  if (atPartition !== null) return withPlaceGate(atPartition, request, gates, begun);
  return decidePlace(request, facts, gates, begun);
}

/** Null where the partition is free. */
function decidePartition(
  { force, begun }: Pick<AdmissionRequest, 'force'> & { readonly begun: boolean },
  facts: AdmissionFacts,
  { completedBy, occupant }: PartitionState,
  gate: ConcurrencyGate,
): AdmissionDecision | null {
  if (completedBy !== null && !force && !begun) {
    return { type: 'skip', reason: 'this partition is completed', runId: completedBy.runId };
  }
  if (occupant !== null) {
    const { runId, status } = occupant;
    const reason = `another run of this partition is ${status}, and has begun it`;
    if (status === 'running') return waitAt(gate, [gate], 'another run of this partition is under way');
    if (isTerminal(status)) return comeBack(gate, 'the last run of this partition is just ending', ENDING_MS);
    return begun ? comeBack(gate, reason, OCCUPIED_MS) : { type: 'skip', reason, runId };
  }
  const { active, ahead } = atGate(facts, gate.key);
  const isFree = facts.held.has(gate.key) || active.length + ahead.length < gate.limit;
  return isFree ? null : waitAt(gate, [gate], 'another run of this partition is under way');
}

function decidePlace(
  request: AdmissionRequest,
  facts: AdmissionFacts,
  { place, partition }: AdmissionGates,
  begun: boolean,
): AdmissionDecision {
  const { policy } = request;
  const mine = [place, partition].filter((gate) => gate !== null);
  const keys = mine.map(({ key }) => key);
  if (policy === undefined || place === null || facts.held.has(place.key)) {
    return { type: 'start', keys, cancel: [] };
  }
  const { active, ahead, line } = atGate(facts, place.key);
  const full = `${active.length} of at most ${policy.maxRuns} runs are under way`;
  if (begun) {
    return active.length + ahead.length < policy.maxRuns
      ? { type: 'start', keys, cancel: [] }
      : waitAt(place, mine, full);
  }
  const supersedes = policy.onConflict === 'cancel_existing';
  // Who leaves needs no second word; who waits would begin after this run.
  const counted = supersedes
    ? [...active, ...line].filter(({ leaving }) => !leaving).sort((a, b) => (a.runId < b.runId ? -1 : 1))
    : [...active, ...ahead];
  const admission = admitWorkflowRun(
    policy,
    counted.map(({ runId }) => runId),
    facts.now,
  );
  switch (admission.type) {
    case 'queue':
      return waitAt(place, mine, full, admission.until);
    case 'skip':
      return { type: 'skip', reason: admission.reason, runId: active[0]?.runId ?? null };
    case 'start': {
      const cancelled = new Set(admission.cancel);
      const cancel = counted.filter(({ runId }) => cancelled.has(runId));
      const left = ahead.filter(({ runId, begun: hasBegun }) => hasBegun || !cancelled.has(runId));
      // What has begun keeps its place until it is undone.
      const held = active.filter(({ runId, begun: hasBegun }) => hasBegun || !cancelled.has(runId));
      const isFree = held.length + (supersedes ? left.length : 0) < policy.maxRuns;
      if (isFree) return { type: 'start', keys, cancel };
      return { ...waitAt(place, mine, 'it waits for the runs that it has cancelled to be undone'), cancel };
    }
    default:
      return assertNever(admission);
  }
}

/** A run that waits for its partition waits for its place as well, where waiting is what its policy says. */
function withPlaceGate(
  decision: AdmissionDecision,
  { policy }: AdmissionRequest,
  { place }: AdmissionGates,
  begun: boolean,
): AdmissionDecision {
  if (decision.type !== 'wait' || place === null) return decision;
  if (!begun && (policy?.onConflict ?? 'queue') !== 'queue') return decision;
  return { ...decision, wait: { ...decision.wait, gates: [...decision.wait.gates, place] } };
}

function atGate(facts: AdmissionFacts, key: string) {
  const others = facts.others.filter((other) => other.key === key);
  const line = others.filter(({ holds }) => !holds);
  return {
    active: others.filter(({ holds }) => holds),
    line,
    ahead: line.filter((other: RunAtGate) => other.told && compareInLine(other, facts.self) < 0),
  };
}

type WaitDecision = Extract<AdmissionDecision, { type: 'wait' }>;

function waitAt(
  gate: ConcurrencyGate,
  gates: readonly ConcurrencyGate[],
  reason: string,
  until: Date | null = null,
): WaitDecision {
  return { type: 'wait', wait: { reason, gate, gates, delayMs: 0, until }, cancel: [] };
}

/** No line is told of the end of it. */
function comeBack(gate: ConcurrencyGate, reason: string, delayMs: number): WaitDecision {
  return { type: 'wait', wait: { reason, gate: null, gates: [gate], delayMs, until: null }, cancel: [] };
}
