export { CONDITION_LIMITS, parseCondition, type Condition } from './expression/condition.ts';
export { parseExpression, type Expression } from './expression/expression.ts';
export { parseJsonLocation, type JsonLocation } from './expression/path.ts';
export * from './assets/index.ts';
export * from './auth/index.ts';
export * from './net/index.ts';
export { assertNever, invariant } from './assert-never.ts';
export { FixedClock, ManualClock, systemClock, type Clock } from './clock.ts';
export * from './content/index.ts';
export { ExecutionContext, type NewExecution } from './context/execution-context.ts';
export * from './deploy/status.ts';
export * from './errors/index.ts';
export * from './finance/index.ts';
export { AUDIT_FIELDS, hashContent, hashFields, hashJson, hashRecord, sha256Hex } from './hashing.ts';
export { IDEMPOTENCY_LEVELS, IdempotencyLevel, rerunEffect, type RerunEffect } from './idempotency.ts';
export { LogicalKey, LogicalKeyColumns, type KeyValue } from './idempotency-key.ts';
export {
  isUuid,
  newEventId,
  newId,
  newRunId,
  newWorkerId,
  parseRunId,
  uuidV7LowerBound,
  type Brand,
  type EventId,
  type RunId,
  type WorkerId,
} from './ids.ts';
export { canonicalJson } from './json/canonical-json.ts';
export { findJsonProblems } from './json/find-json-problems.ts';
export { parseStrictJson, type StrictJsonOptions } from './json/json-guard.ts';
export {
  DEFAULT_MAX_JSON_DEPTH,
  MAX_JSON_PROBLEMS,
  type JsonProblem,
  type JsonProblemCode,
} from './json/json-problem.ts';
export {
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonPrimitive,
  type JsonValue,
} from './json/json-value.ts';
export { present, type Present } from './json/present.ts';
export * from './ledger/anomaly.ts';
export * from './ledger/manifest.ts';
export * from './ledger/quality-checks.ts';
export * from './ledger/quality.ts';
export * from './ledger/reject.ts';
export * from './ledger/backfill.ts';
export * from './ledger/backfill-plan.ts';
export * from './ledger/cadence.ts';
export * from './ledger/calc-dependency.ts';
export * from './ledger/expected-schedule.ts';
export * from './ledger/readiness.ts';
export * from './ledger/watermark.ts';
export * from './ledger/work-item.ts';
export {
  collect,
  collectAllErrors,
  Err,
  err,
  fromNullable,
  Ok,
  ok,
  partition,
  tryResult,
  tryResultAsync,
  type Result,
} from './result.ts';
export * from './rolling/index.ts';
export {
  handlerKey,
  PRIORITIES,
  priorityOf,
  priorityRank,
  RUN_KINDS,
  RunKind,
  type Priority,
} from './run/model.ts';
export {
  canTransition,
  isRetryable,
  isRunStatus,
  isTerminal,
  RUN_STATUSES,
  RunStatus,
  TERMINAL_STATUSES,
  type TerminalStatus,
  type WaitingStatus,
} from './run/status.ts';
export * from './run/workflow-partition.ts';
export * from './tags/index.ts';
export { DateRange } from './temporal/date-range.ts';
export {
  addDays,
  comparePlainDates,
  DayOfWeek,
  dayOfWeek,
  daysBetween,
  isPlainDate,
  parsePlainDate,
  plainDateFromInstant,
  type PlainDate,
} from './temporal/plain-date.ts';
export {
  intervalContains,
  intervalsOverlap,
  planSupersede,
  recordAsOf,
  supersede,
  systemInterval,
  timeInterval,
  validInterval,
  type BiTemporalChange,
  type BiTemporalRecord,
  type Interval,
  type Remainder,
  type SupersedePlan,
} from './temporal/bitemporal.ts';
export {
  captureLagMs,
  ENVELOPE_CLOCKS,
  envelopeFromJson,
  envelopeToJson,
  pointInTime,
  temporalEnvelope,
  type EnvelopeClock,
  type EnvelopeTimes,
  type TemporalEnvelope,
  type TemporalEnvelopeJson,
} from './temporal/envelope.ts';
export { isoInstant } from './temporal/iso-instant.ts';
export { WeekEnding } from './temporal/week-ending.ts';
export * from './ledger/retention.ts';
export { isStorableText, toStorableText, truncateText } from './text.ts';
