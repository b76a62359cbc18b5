import { dataOf } from '../connection.ts';
import type { CallOptions, ChangeOptions, Connection } from '../connection.ts';
import type {
  ArchiveWorkflowData,
  DrawWorkflowData,
  GetWorkflowStatsData,
  ListWorkflowPublicationsData,
  ListWorkflowRunsData,
  ListWorkflowsData,
  ListWorkflowVersionsData,
  WorkflowDryRunRequest,
  WorkflowLintPostedRequest,
  WorkflowLintRequest,
  WorkflowRequest,
  WorkflowRollback,
  WorkflowStart,
} from '../generated/index.ts';
import { paged } from '../paging.ts';
import { keyed } from '../runs/idempotency.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

/** The API answers after `wait_seconds`; how long it may take beside that. */
const BESIDE_WAITING_MS = 30_000;

/** Definitions of workflows, and runs of them. */
export function workflows({ api, call }: Connection) {
  const path = (name: string) => ({ path: { name } });
  return {
    list: (query?: Query<ListWorkflowsData>, options?: CallOptions) =>
      paged(query, (query) => api.listWorkflows({ ...call(options), query })),
    get: (name: string, options?: CallOptions) =>
      dataOf(api.getWorkflow({ ...call(options), ...path(name) })),
    /** Makes a new version, or none where nothing has changed; so it is repeated. */
    publish: (body: WorkflowRequest, options?: CallOptions) =>
      dataOf(api.publishWorkflow({ ...call(options, true), body })),
    replace: (name: string, body: WorkflowRequest, options?: ChangeOptions) =>
      dataOf(api.replaceWorkflow({ ...call(options), ...path(name), body })),
    /** It can be started no more; its runs stay. */
    archive: (name: string, query?: Query<ArchiveWorkflowData>, options?: ChangeOptions) =>
      dataOf(api.archiveWorkflow({ ...call(options), ...path(name), query })),
    rollback: (name: string, body: WorkflowRollback, options?: ChangeOptions) =>
      dataOf(api.rollBackWorkflow({ ...call(options), ...path(name), body })),
    versions: (name: string, query?: Query<ListWorkflowVersionsData>, options?: CallOptions) =>
      paged(query, (query) => api.listWorkflowVersions({ ...call(options), ...path(name), query })),
    version: (name: string, version: number, options?: CallOptions) =>
      dataOf(api.getWorkflowVersion({ ...call(options), path: { name, version } })),
    diff: (name: string, before: number, after: number, options?: CallOptions) =>
      dataOf(api.diffWorkflowVersions({ ...call(options), path: { name, before, after } })),
    /** Who has published what, and when. */
    publications: (name: string, query?: Query<ListWorkflowPublicationsData>, options?: CallOptions) =>
      paged(query, (query) => api.listWorkflowPublications({ ...call(options), ...path(name), query })),
    yaml: async (name: string, query?: { version?: number }, options?: CallOptions): Promise<string> => {
      const { data } = await api.getWorkflowYaml({ ...call(options), ...path(name), query });
      return new Response(data).text();
    },
    draw: async (name: string, query?: Query<DrawWorkflowData>, options?: CallOptions): Promise<string> => {
      const { data } = await api.drawWorkflow({ ...call(options), ...path(name), query });
      return data;
    },
    /** A definition that is not stored. Changes nothing, so it is repeated, as the next two are. */
    lintPosted: (body: WorkflowLintPostedRequest, options?: CallOptions) =>
      dataOf(api.lintPosted({ ...call(options, true), body })),
    lint: (name: string, body: WorkflowLintRequest = {}, options?: CallOptions) =>
      dataOf(api.lintWorkflow({ ...call(options, true), ...path(name), body })),
    /** What a run would do, without doing it. */
    dryRun: (name: string, body: WorkflowDryRunRequest = {}, options?: CallOptions) =>
      dataOf(api.dryRunWorkflow({ ...call(options, true), ...path(name), body })),
    /** Starts a run. Repeated when no answer comes: an idempotency key, made where there is none, keeps it one run. */
    run: (name: string, start: WorkflowStart = {}, options: CallOptions = {}) => {
      const timeoutMs =
        start.wait_seconds === undefined
          ? undefined
          : Math.ceil(start.wait_seconds * 1_000) + BESIDE_WAITING_MS;
      const body = keyed(start);
      const patient = { ...options, timeoutMs: options.timeoutMs ?? timeoutMs };
      return dataOf(api.runWorkflow({ ...call(patient, true), ...path(name), body }));
    },
    runs: (name: string, query?: Query<ListWorkflowRunsData>, options?: CallOptions) =>
      paged(query, (query) => api.listWorkflowRuns({ ...call(options), ...path(name), query })),
    stats: (name: string, query?: Query<GetWorkflowStatsData>, options?: CallOptions) =>
      dataOf(api.getWorkflowStats({ ...call(options), ...path(name), query })),
  };
}
