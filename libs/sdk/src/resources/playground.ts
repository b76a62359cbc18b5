import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  GetPlaygroundHistoryData,
  ListPlaygroundSessionsData,
  PlaygroundDecision,
  PlaygroundParams,
  PlaygroundRunAll,
  PlaygroundRunTo,
  PlaygroundSessionRequest,
  PlaygroundStep,
  WorkflowSignal,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

/**
 * Going through a workflow by hand, forth and back. What moves a session is not repeated by itself: it would be moved
 * twice.
 */
export function playground({ api, call }: Connection) {
  const of = (sessionId: string) => ({ path: { session_id: sessionId } });
  return {
    list: (query?: Query<ListPlaygroundSessionsData>, options?: CallOptions) =>
      paged(query, (query) => api.listPlaygroundSessions({ ...call(options), query })),
    get: (sessionId: string, options?: CallOptions) =>
      dataOf(api.getPlaygroundSession({ ...call(options), ...of(sessionId) })),
    create: (body: PlaygroundSessionRequest, options?: CallOptions) =>
      dataOf(api.createPlaygroundSession({ ...call(options), body })),
    delete: (sessionId: string, options?: CallOptions) =>
      dataOf(api.deletePlaygroundSession({ ...call(options), ...of(sessionId) })),
    /** What the next step would do, without doing it. */
    peek: (sessionId: string, options?: CallOptions) =>
      dataOf(api.peekPlayground({ ...call(options), ...of(sessionId) })),
    /** Params, context, outputs, and the status of every step. */
    context: (sessionId: string, options?: CallOptions) =>
      dataOf(api.getPlaygroundContext({ ...call(options), ...of(sessionId) })),
    /** The moves, without those taken back, oldest first. */
    history: (sessionId: string, query?: Query<GetPlaygroundHistoryData>, options?: CallOptions) =>
      paged(query, (query) => api.getPlaygroundHistory({ ...call(options), ...of(sessionId), query })),
    step: (sessionId: string, body: NonNullable<PlaygroundStep> = {}, options?: CallOptions) =>
      dataOf(api.stepPlayground({ ...call(options), ...of(sessionId), body })),
    /** Until a step has settled. */
    runTo: (sessionId: string, body: PlaygroundRunTo, options?: CallOptions) =>
      dataOf(api.runPlaygroundTo({ ...call(options), ...of(sessionId), body })),
    /** Until the run has ended, or waits for a decision or a signal. */
    runAll: (sessionId: string, body: NonNullable<PlaygroundRunAll> = {}, options?: CallOptions) =>
      dataOf(api.runPlaygroundAll({ ...call(options), ...of(sessionId), body })),
    stepBack: (sessionId: string, options?: CallOptions) =>
      dataOf(api.stepPlaygroundBack({ ...call(options), ...of(sessionId), body: {} })),
    reset: (sessionId: string, options?: CallOptions) =>
      dataOf(api.resetPlayground({ ...call(options), ...of(sessionId), body: {} })),
    /** For all that has not begun. */
    setParams: (sessionId: string, body: PlaygroundParams, options?: CallOptions) =>
      dataOf(api.setPlaygroundParams({ ...call(options), ...of(sessionId), body })),
    /** Answers an approval that the session waits for. */
    decide: (sessionId: string, body: PlaygroundDecision, options?: CallOptions) =>
      dataOf(api.decidePlayground({ ...call(options), ...of(sessionId), body })),
    signal: (sessionId: string, body: WorkflowSignal, options?: CallOptions) =>
      dataOf(api.signalPlayground({ ...call(options), ...of(sessionId), body })),
  };
}
