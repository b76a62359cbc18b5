import { dataOf } from '../connection.ts';
import type { CallOptions, ChangeOptions, Connection } from '../connection.ts';
import type {
  ListScheduleRunsData,
  ListSchedulesData,
  ScheduleBackfillRequest,
  SchedulePreviewRequest,
  ScheduleRequest,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type ListQuery = NonNullable<ListSchedulesData['query']>;
type RunsQuery = NonNullable<ListScheduleRunsData['query']>;

/** Schedules, and the runs they have made. */
export function schedules({ api, call }: Connection) {
  const path = (scheduleId: string) => ({ path: { schedule_id: scheduleId } });
  return {
    list: (query?: ListQuery, options?: CallOptions) =>
      paged(query, (query) => api.listSchedules({ ...call(options), query })),
    get: (scheduleId: string, options?: CallOptions) =>
      dataOf(api.getSchedule({ ...call(options), ...path(scheduleId) })),
    create: (body: ScheduleRequest, options?: CallOptions) =>
      dataOf(api.createSchedule({ ...call(options), body })),
    replace: (scheduleId: string, body: ScheduleRequest, options?: ChangeOptions) =>
      dataOf(api.replaceSchedule({ ...call(options), ...path(scheduleId), body })),
    delete: (scheduleId: string, options?: CallOptions) =>
      dataOf(api.deleteSchedule({ ...call(options), ...path(scheduleId) })),
    pause: (scheduleId: string, options?: CallOptions) =>
      dataOf(api.pauseSchedule({ ...call(options), ...path(scheduleId) })),
    resume: (scheduleId: string, options?: CallOptions) =>
      dataOf(api.resumeSchedule({ ...call(options), ...path(scheduleId) })),
    /** Runs it now, beside its times. Not repeated by itself. */
    trigger: (scheduleId: string, options?: CallOptions) =>
      dataOf(api.triggerSchedule({ ...call(options), ...path(scheduleId) })),
    /** Runs it for past times. */
    backfill: (scheduleId: string, body: ScheduleBackfillRequest, options?: CallOptions) =>
      dataOf(api.backfillSchedule({ ...call(options), ...path(scheduleId), body })),
    runs: (scheduleId: string, query?: RunsQuery, options?: CallOptions) =>
      paged(query, (query) => api.listScheduleRuns({ ...call(options), ...path(scheduleId), query })),
    /** The next times of an expression. Changes nothing, so it is repeated. */
    preview: (body: SchedulePreviewRequest, options?: CallOptions) =>
      dataOf(api.previewSchedule({ ...call(options, true), body })),
  };
}
