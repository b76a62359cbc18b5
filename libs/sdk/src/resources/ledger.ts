/** The data ledger: what was processed, how good it is, how far it goes. */
import { dataOf } from '../connection.ts';
import type { CallOptions, ChangeOptions, Connection } from '../connection.ts';
import type {
  AnomalyResolveRequest,
  CertifyRequest,
  ExpectedScheduleRequest,
  GetRejectSummaryData,
  ListAnomaliesData,
  ListExpectedSchedulesData,
  ListGapsData,
  ListManifestData,
  ListQualityResultsData,
  ListReadinessData,
  ListRejectsData,
  ListWatermarksData,
  ListWorkItemsData,
  RejectReplayRequest,
} from '../generated/index.ts';
import { paged } from '../paging.ts';
import { assets } from './assets.ts';
import { backfills } from './backfills.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

export function ledger(connection: Connection) {
  const { api, call } = connection;
  return {
    assets: assets(connection),
    backfills: backfills(connection),
    manifest: (query?: Query<ListManifestData>, options?: CallOptions) =>
      paged(query, (query) => api.listManifest({ ...call(options), query })),
    quality: (query?: Query<ListQualityResultsData>, options?: CallOptions) =>
      paged(query, (query) => api.listQualityResults({ ...call(options), query })),
    watermarks: (query?: Query<ListWatermarksData>, options?: CallOptions) =>
      paged(query, (query) => api.listWatermarks({ ...call(options), query })),
    gaps: (query: Query<ListGapsData>, options?: CallOptions) =>
      paged(query, (query) => api.listGaps({ ...call(options), query })),
    workItems: {
      list: (query?: Query<ListWorkItemsData>, options?: CallOptions) =>
        paged(query, (query) => api.listWorkItems({ ...call(options), query })),
      get: (workItemId: string, options?: CallOptions) =>
        dataOf(api.getWorkItem({ ...call(options), path: { work_item_id: workItemId } })),
    },
    /** What should exist, and when. */
    expectedSchedules: {
      list: (query?: Query<ListExpectedSchedulesData>, options?: CallOptions) =>
        paged(query, (query) => api.listExpectedSchedules({ ...call(options), query })),
      get: (domain: string, workflow: string, options?: CallOptions) =>
        dataOf(api.getExpectedSchedule({ ...call(options), path: { domain, workflow } })),
      put: (domain: string, workflow: string, body: ExpectedScheduleRequest, options?: ChangeOptions) =>
        dataOf(api.putExpectedSchedule({ ...call(options), path: { domain, workflow }, body })),
      delete: (domain: string, workflow: string, options?: CallOptions) =>
        dataOf(api.deleteExpectedSchedule({ ...call(options), path: { domain, workflow } })),
    },
    anomalies: {
      list: (query?: Query<ListAnomaliesData>, options?: CallOptions) =>
        paged(query, (query) => api.listAnomalies({ ...call(options), query })),
      get: (anomalyId: string, options?: CallOptions) =>
        dataOf(api.getAnomaly({ ...call(options), path: { anomaly_id: anomalyId } })),
      resolve: (anomalyId: string, body: NonNullable<AnomalyResolveRequest> = {}, options?: CallOptions) =>
        dataOf(api.resolveAnomaly({ ...call(options), path: { anomaly_id: anomalyId }, body })),
    },
    rejects: {
      list: (query?: Query<ListRejectsData>, options?: CallOptions) =>
        paged(query, (query) => api.listRejects({ ...call(options), query })),
      get: (rejectId: string, options?: CallOptions) =>
        dataOf(api.getReject({ ...call(options), path: { reject_id: rejectId } })),
      summary: (query: Query<GetRejectSummaryData>, options?: CallOptions) =>
        dataOf(api.getRejectSummary({ ...call(options), query })),
      /** Judges rejected rows again. */
      replay: (body: RejectReplayRequest, options?: CallOptions) =>
        dataOf(api.replayRejects({ ...call(options), body })),
    },
    readiness: {
      list: (query?: Query<ListReadinessData>, options?: CallOptions) =>
        paged(query, (query) => api.listReadiness({ ...call(options), query })),
      certify: (body: CertifyRequest, options?: CallOptions) =>
        dataOf(api.certify({ ...call(options), body })),
    },
  };
}
