export { assertNever, invariant } from './assert-never.ts';
export { FixedClock, ManualClock, systemClock, type Clock } from './clock.ts';
export * from './errors/index.ts';
export { hashJson, hashRecord, sha256Hex } from './hashing.ts';
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
export { WeekEnding } from './temporal/week-ending.ts';
export { isStorableText, toStorableText, truncateText } from './text.ts';
