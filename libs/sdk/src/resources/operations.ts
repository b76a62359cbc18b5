/** Resources of who operates a deployment: queues, workers, functions, statistics, health. */
import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  GetFunctionData,
  GetHandlerStatsData,
  GetQueueStatsData,
  GetRunHistoryData,
  GetRunStatsData,
  LanePauseRequest,
  ListFunctionsData,
  ListQueuesData,
  ListWorkflowStatsData,
  GetWorkerStatsData,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

export function queues({ api, call }: Connection) {
  return {
    /** Each lane with its depth by state and its oldest run. */
    list: (query?: Query<ListQueuesData>, options?: CallOptions) =>
      paged(query, (query) => api.listQueues({ ...call(options), query })),
    /** Nothing of the lane is started until it is resumed. */
    pause: (lane: string, body: NonNullable<LanePauseRequest> = {}, options?: CallOptions) =>
      dataOf(api.pauseLane({ ...call(options), path: { lane }, body })),
    resume: (lane: string, options?: CallOptions) =>
      dataOf(api.resumeLane({ ...call(options), path: { lane } })),
  };
}

export function workers({ api, call }: Connection) {
  return {
    list: (query?: Query<GetWorkerStatsData>, options?: CallOptions) =>
      paged(query, (query) => api.getWorkerStats({ ...call(options), query })),
    /** The worker takes nothing new, ends what it has, and stops. */
    drain: (workerId: string, options?: CallOptions) =>
      dataOf(api.drainWorker({ ...call(options), path: { worker_id: workerId } })),
  };
}

export function functions({ api, call }: Connection) {
  return {
    /** What can be run, as workers have told. */
    list: (query?: Query<ListFunctionsData>, options?: CallOptions) =>
      paged(query, (query) => api.listFunctions({ ...call(options), query })),
    get: (kind: GetFunctionData['path']['kind'], name: string, options?: CallOptions) =>
      dataOf(api.getFunction({ ...call(options), path: { kind, name } })),
  };
}

export function stats({ api, call }: Connection) {
  return {
    runs: (query?: Query<GetRunStatsData>, options?: CallOptions) =>
      dataOf(api.getRunStats({ ...call(options), query })),
    history: (query?: Query<GetRunHistoryData>, options?: CallOptions) =>
      dataOf(api.getRunHistory({ ...call(options), query })),
    handlers: (query?: Query<GetHandlerStatsData>, options?: CallOptions) =>
      dataOf(api.getHandlerStats({ ...call(options), query })),
    /** Of every workflow, by name. */
    workflows: (query?: Query<ListWorkflowStatsData>, options?: CallOptions) =>
      paged(query, (query) => api.listWorkflowStats({ ...call(options), query })),
    /** What waits and runs, lane by lane. */
    queues: (query?: Query<GetQueueStatsData>, options?: CallOptions) =>
      paged(query, (query) => api.getQueueStats({ ...call(options), query })),
    dashboard: (options?: CallOptions) => dataOf(api.getDashboard(call(options))),
  };
}

/** A 503 is an answer here, not a reason to ask again: nothing of this is repeated by itself. */
export function health({ api, call }: Connection) {
  const once = (options: CallOptions | undefined) => call({ retries: 0, ...options });
  return {
    /** The API and what it depends on. @throws SpineProblem UNAVAILABLE with `members.dependencies` */
    get: (options?: CallOptions) => dataOf(api.getHealth(once(options))),
    live: (options?: CallOptions) => dataOf(api.getLiveness(once(options))),
    /** @throws SpineProblem UNAVAILABLE */
    ready: (options?: CallOptions) => dataOf(api.getReadiness(once(options))),
    /** Whether schedules fire. */
    scheduler: (options?: CallOptions) => dataOf(api.schedulerHealth(call(options))),
    /** Of the API process that answers, in Prometheus' text format. */
    metrics: async (options?: CallOptions): Promise<string> => {
      const { data } = await api.getMetrics(call(options));
      return data;
    },
  };
}
