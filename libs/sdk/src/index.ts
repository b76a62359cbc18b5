/** The client of the Spine API. */
export { createSpineClient } from './client.ts';
export type { SpineClient, SpineClientOptions } from './client.ts';
export type { CallOptions, ChangeOptions } from './connection.ts';
export {
  isProblem,
  SpineAnswerError,
  SpineConfigError,
  SpineConnectionError,
  SpineProblem,
  SpineTimeoutError,
} from './errors.ts';
export type { AnySpineProblem, ProblemCode, ProblemFields } from './errors.ts';
export type { EventQuery, Events } from './events/events.ts';
export type { StreamMessage } from './events/messages.ts';
export type { FollowOptions } from './events/stream.ts';
export type { RetryPolicy } from './http/retry-policy.ts';
export type { PagedList, PageOf } from './paging.ts';
export type { Runs, SubmitAndWaitOptions, SubmitOptions, Submitted } from './runs/runs.ts';
export { isEnded } from './runs/wait.ts';
export type { EndedRun, Progress, TerminalStatus, WaitOptions } from './runs/wait.ts';
/** The API's own types: bodies, queries and answers. */
export type * from './generated/types.gen.ts';
export type { SpineApi } from './generated/sdk.gen.ts';
