import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  DrawRunData,
  ListHistoryData,
  ListItemsData,
  ListStepsData,
  ShowWorkflowData,
  WorkflowDecision,
  WorkflowForkRequest,
  WorkflowModifyRequest,
  WorkflowQuery,
  WorkflowReplayRequest,
  WorkflowSignal,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

/** What runs of workflows have beyond what every run has: steps, history, and being told something. */
export function workflowRuns({ api, call }: Connection) {
  const of = (runId: string) => ({ path: { run_id: runId } });
  const at = (runId: string, step: string) => ({ path: { run_id: runId, step } });
  return {
    /** The state of each step; with a `format` also a drawing of it. */
    show: (runId: string, query?: Query<ShowWorkflowData>, options?: CallOptions) =>
      dataOf(api.showWorkflow({ ...call(options), ...of(runId), query })),
    steps: (runId: string, query?: Query<ListStepsData>, options?: CallOptions) =>
      paged(query, (query) => api.listSteps({ ...call(options), ...of(runId), query })),
    /** Of a map step. */
    items: (runId: string, step: string, query?: Query<ListItemsData>, options?: CallOptions) =>
      paged(query, (query) => api.listItems({ ...call(options), ...at(runId, step), query })),
    history: (runId: string, query?: Query<ListHistoryData>, options?: CallOptions) =>
      paged(query, (query) => api.listHistory({ ...call(options), ...of(runId), query })),
    /** Its steps, coloured by where they are: an SVG image unless `format` says otherwise. */
    draw: async (runId: string, query?: Query<DrawRunData>, options?: CallOptions): Promise<string> => {
      const { data } = await api.drawRun({ ...call(options), ...of(runId), query });
      // An image comes as a blob, text as text.
      return new Response(data).text();
    },
    /** Reads from the run's state. Changes nothing, so it is repeated. */
    query: (runId: string, body: WorkflowQuery, options?: CallOptions) =>
      dataOf(api.queryWorkflow({ ...call(options, true), ...of(runId), body })),
    recording: (runId: string, options?: CallOptions) =>
      dataOf(api.getRecording({ ...call(options), ...of(runId) })),
    /** Tells it something it waits for. Not repeated by itself: it would be told twice. */
    signal: (runId: string, body: WorkflowSignal, options?: CallOptions) =>
      dataOf(api.signalRun({ ...call(options), ...of(runId), body })),
    approve: (runId: string, step: string, body: WorkflowDecision, options?: CallOptions) =>
      dataOf(api.approveStep({ ...call(options), ...at(runId, step), body })),
    reject: (runId: string, step: string, body: WorkflowDecision, options?: CallOptions) =>
      dataOf(api.rejectStep({ ...call(options), ...at(runId, step), body })),
    replayStep: (runId: string, step: string, body: WorkflowReplayRequest = {}, options?: CallOptions) =>
      dataOf(api.replayStep({ ...call(options), ...at(runId, step), body })),
    /** A new run that goes on from a step of this one. */
    fork: (runId: string, body: WorkflowForkRequest, options?: CallOptions) =>
      dataOf(api.forkRun({ ...call(options), ...of(runId), body })),
    modify: (runId: string, body: WorkflowModifyRequest, options?: CallOptions) =>
      dataOf(api.modifyRun({ ...call(options), ...of(runId), body })),
  };
}
