/**
 * The pages of runs that are asked for all the time, as statements that a connection plans once.
 *
 * 1. Whatever their values are, one plan is right for them: a range of the primary key, or of the index of a state that few
 *    runs end in, read from its newest end until the page is full.
 * 2. Such a state stands in the text, else the plan could not use the index of runs in it. It is a constant of the code's.
 */
import type { QueryConfig } from 'pg';
import type { RunStatus } from '@spine/core';
import type { RunFilter, RunPageRequest } from './query.ts';
import { RUN_COLUMNS } from './record.ts';

/** States whose runs are in an index by id: runs_unsuccessful. */
export const UNSUCCESSFUL_STATUSES = [
  'failed',
  'cancelled',
  'timed_out',
  'dead_lettered',
] as const satisfies readonly RunStatus[];

/** Items of a page that may be asked for beside submits, on their connections: what it reads has to be little. */
export const SMALL_PAGE = 100;

const COLUMNS = RUN_COLUMNS.join(', ');

/** The statement for a page, one run more than it shows; null for a page that has to be planned for its values. */
export function preparedPage(filter: RunFilter, page: RunPageRequest): QueryConfig | null {
  const { status, ...others } = filter;
  const { limit, offset, beforeRunId } = page;
  if (Object.keys(others).length > 0 || offset > 0 || limit > SMALL_PAGE) return null;
  if (status !== undefined && status.length !== 1) return null;
  const state = UNSUCCESSFUL_STATUSES.find((each) => each === status?.[0]);
  if (status !== undefined && state === undefined) return null;
  const conditions = [
    ...(state === undefined ? [] : [`status = '${state}'`]),
    ...(beforeRunId === undefined ? [] : ['id < $2::uuid']),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')} `;
  return {
    name: `spine_runs_${state ?? 'all'}${beforeRunId === undefined ? '' : '_before'}`,
    text: `SELECT ${COLUMNS} FROM runs ${where}ORDER BY id DESC LIMIT $1::integer`,
    values: beforeRunId === undefined ? [limit + 1] : [limit + 1, beforeRunId],
  };
}
