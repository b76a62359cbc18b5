/** What clients are told of runs that cannot be looked at as workflows. */
import { getRun } from '@spine/database';
import type { RunRecord } from '@spine/database';
import type { Engine } from '@spine/execution';
import type { Inspected } from '@spine/orchestration';
import { HttpProblem, notFound } from '../http/problem.ts';

export function notBegun({ runId, kind, status }: RunRecord): HttpProblem {
  const why =
    kind === 'workflow' ? `is ${status} and has not begun as a workflow` : `is a ${kind}, no workflow`;
  return new HttpProblem('CONFLICT', `run ${runId} ${why}`);
}

/** What was found. @throws HttpProblem otherwise. */
export function found<T>(inspected: Inspected<T>, runId: string): T {
  switch (inspected.type) {
    case 'found':
      return inspected.view;
    case 'not_found':
      throw notFound('run', runId);
    case 'not_begun':
      throw notBegun(inspected.run);
  }
}

/** Why there is no workflow of this id. */
export async function mustBeWorkflow({ db }: Pick<Engine, 'db'>, runId: string): Promise<HttpProblem> {
  const run = await getRun(db, runId);
  return run === null ? notFound('run', runId) : notBegun(run);
}
