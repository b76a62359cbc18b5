import { canonicalJson, newRunId, sha256Hex } from '@spine/core';
import { encodeGates } from '@spine/database';
import type { NewRun, RunRecord } from '@spine/database';
import { activeTraceparent } from '@spine/observability';
import type { HandlerGates } from '../gates/handler-gates.ts';
import { gatesOfSpec, mergeGates, specOfGates } from '../gates/resolve-gates.ts';
import { maxRetriesOf } from '../policy/retry-policy.ts';
import type { RetryPolicy } from '../policy/retry-policy.ts';
import { LIMITS } from './limits.ts';
import { storedRetryPolicy, toRetryPolicyJson } from './retry-json.ts';
import { DEFAULTS } from './work-spec.ts';
import type { WorkSpec } from './work-spec.ts';

/** What is wrong with one field of a spec; `field` is a path such as `params.week_ending`. */
export interface SpecIssue {
  readonly field: string;
  readonly code: string;
  readonly message: string;
}

/** What is shared by every spec with nothing wrong. */
export const NO_ISSUES: readonly SpecIssue[] = [];

export interface NewRunOptions {
  /** The epoch of the parent's attempt that submits; the insert is refused once that attempt lost its run. */
  readonly parentEpoch?: number;
  readonly retryOfRunId?: string;
  /** Of the caller's key. Without one the run is of the namespace of the run it comes from, if any. */
  readonly namespace?: string | null;
  /** The principal that submits it; kept with the run. */
  readonly submittedBy?: string | null;
  /** W3C traceparent it is under. Default: what is active. */
  readonly traceContext?: string | null;
}

/** What of a handler goes into its runs' rows, where this process knows the handler. */
export interface HandlerDefaults {
  /** Its `maxRetries` is the default. */
  readonly retry: RetryPolicy | null;
  /** A worker that knows the handler adds them where the row has none of them. */
  readonly gates: HandlerGates | null;
}

const UNKNOWN_HANDLER: HandlerDefaults = { retry: null, gates: null };

const NO_TAGS: readonly string[] = [];

/**
 * What decides whether two submissions with one idempotency key ask for the same thing. Defaults are filled in, so that
 * saying one and leaving it out are the same request; left out is what only says who asked.
 */
function specHash(spec: WorkSpec): string {
  const {
    triggerSource: _who,
    correlationId: _joins,
    parentRunId: _under,
    runAfter,
    expiresAt,
    ...asked
  } = spec;
  return sha256Hex(
    canonicalJson({
      ...DEFAULTS,
      params: {},
      metadata: {},
      tags: [],
      deadLetter: deadLetterOf(spec),
      ...asked,
      triggerSource: null,
      runAfter: runAfter === undefined ? null : runAfter.toISOString(),
      ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
    }),
  );
}

/** A step's workflow decides about its failure; every other run that fails for good becomes a dead letter. */
function deadLetterOf(spec: WorkSpec): boolean {
  return spec.deadLetter ?? spec.kind !== 'step';
}

/** The row a spec asks for, with a fresh id, under the trace that is active. */
export function newRun(
  spec: WorkSpec,
  options: NewRunOptions = {},
  handler: HandlerDefaults = UNKNOWN_HANDLER,
): NewRun {
  const runId = newRunId();
  const idempotencyKey = spec.idempotencyKey ?? null;
  return {
    runId,
    kind: spec.kind,
    name: spec.name,
    lane: spec.lane ?? DEFAULTS.lane,
    priority: spec.priority ?? DEFAULTS.priority,
    params: spec.params === undefined ? '{}' : JSON.stringify(spec.params),
    metadata: spec.metadata === undefined ? '{}' : JSON.stringify(spec.metadata),
    tags: spec.tags ?? NO_TAGS,
    idempotencyKey,
    specHash: idempotencyKey === null ? null : specHash(spec),
    correlationId: spec.correlationId ?? null,
    parentRunId: spec.parentRunId ?? null,
    parentEpoch: options.parentEpoch ?? null,
    retryOfRunId: options.retryOfRunId ?? null,
    triggerSource: spec.triggerSource ?? DEFAULTS.triggerSource,
    maxAttempts: maxRetriesFor(spec, handler.retry) + 1,
    retryDelayMs: Math.round((spec.retryDelaySeconds ?? DEFAULTS.retryDelaySeconds) * 1000),
    timeoutMs: Math.max(1, Math.round((spec.timeoutSeconds ?? DEFAULTS.timeoutSeconds) * 1000)),
    deadLetter: deadLetterOf(spec),
    runAfter:
      spec.debounceSeconds === undefined
        ? (spec.runAfter ?? null)
        : new Date(Date.now() + spec.debounceSeconds * 1_000),
    expiresAt: spec.expiresAt ?? null,
    deadlineMs:
      spec.deadlineSeconds === undefined ? null : Math.max(1, Math.round(spec.deadlineSeconds * 1_000)),
    singletonKey: spec.singletonKey ?? null,
    retryPolicy: spec.retry === undefined ? null : JSON.stringify(toRetryPolicyJson(spec.retry)),
    gates: gatesFor(spec, handler.gates),
    paramsRef: null,
    namespace: options.namespace ?? null,
    submittedBy: options.submittedBy ?? null,
    traceContext: options.traceContext ?? activeTraceparent(),
  };
}

function gatesFor(spec: WorkSpec, handler: HandlerGates | null): string | null {
  if (handler === null && asksForNoGate(spec)) return null;
  const subject = {
    kind: spec.kind,
    name: spec.name,
    lane: spec.lane ?? DEFAULTS.lane,
    params: spec.params ?? {},
  };
  const gates = [...gatesOfSpec(spec), ...(handler?.gatesOf(subject) ?? [])];
  return gates.length === 0 ? null : encodeGates(mergeGates(gates));
}

function asksForNoGate({ singletonKey, breakers, concurrency, rateLimits }: WorkSpec): boolean {
  return (
    singletonKey === undefined &&
    breakers === undefined &&
    concurrency === undefined &&
    rateLimits === undefined
  );
}

function maxRetriesFor(spec: WorkSpec, handlerRetry: RetryPolicy | null): number {
  const own = spec.retry === undefined ? undefined : maxRetriesOf(spec.retry);
  const handlers = handlerRetry === null ? undefined : maxRetriesOf(handlerRetry);
  return spec.maxRetries ?? own ?? handlers ?? DEFAULTS.maxRetries;
}

/** Sizes that only show once the row is built. @param maxPayloadBytes of params. */
export function checkSizes(run: NewRun, maxPayloadBytes: number = LIMITS.payloadBytes): readonly SpecIssue[] {
  const params = checkSize('params', run.params, maxPayloadBytes);
  const metadata = checkSize('metadata', run.metadata, LIMITS.metadataBytes);
  return params === null && metadata === null
    ? NO_ISSUES
    : [params, metadata].filter((issue) => issue !== null);
}

function checkSize(field: string, text: string, limit: number): SpecIssue | null {
  // A string has at most three bytes a UTF-16 unit: short ones need no count.
  if (text.length * 3 <= limit) return null;
  const bytes = Buffer.byteLength(text);
  if (bytes <= limit) return null;
  const message = `${field} is ${bytes} bytes of JSON, at most ${limit} are allowed`;
  return { field, code: 'too_large', message };
}

/** An instant that no column can hold would fail the whole flush it travels in, its neighbours included. */
export function checkInstants({ runAfter, expiresAt }: WorkSpec): readonly SpecIssue[] {
  if (runAfter === undefined && expiresAt === undefined) return NO_ISSUES;
  return [['run_after', runAfter] as const, ['expires_at', expiresAt] as const].flatMap(
    ([field, instant]): SpecIssue[] => {
      if (instant === undefined) return [];
      const time = instant.getTime();
      if (time >= 0 && time < Date.UTC(10_000, 0, 1)) return [];
      return [{ field, code: 'out_of_range', message: `${field} must be an instant from 1970 to 9999` }];
    },
  );
}

/** The spec of a run that asks for the same work again. */
export function specOfRun(run: RunRecord): WorkSpec {
  const storedRetry = storedRetryPolicy(run.retryPolicy);
  return {
    kind: run.kind,
    name: run.name,
    params: run.params as Readonly<Record<string, unknown>>,
    lane: run.lane,
    priority: run.priority,
    metadata: run.metadata,
    tags: run.tags,
    maxRetries: run.maxAttempts - 1,
    retryDelaySeconds: run.retryDelayMs / 1000,
    timeoutSeconds: run.timeoutMs / 1000,
    deadLetter: run.deadLetter,
    ...(storedRetry === null ? {} : { retry: storedRetry }),
    ...(run.singletonKey === null ? {} : { singletonKey: run.singletonKey }),
    ...specOfGates(run.gates),
    correlationId: run.correlationId ?? run.runId,
    ...(run.parentRunId === null ? {} : { parentRunId: run.parentRunId }),
  };
}
