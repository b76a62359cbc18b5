/** What a wish to change a backfill means over HTTP. */
import { assertNever } from '@spine/core';
import type { Backfill, BackfillChange } from '@spine/database';
import { HttpProblem, notFound } from '../http/problem.ts';

/** The backfill as it is now. @throws HttpProblem when it is not there, or its state does not allow it. */
export function changed(change: BackfillChange, id: string, verb: string): Backfill {
  switch (change.type) {
    case 'changed':
      return change.backfill;
    case 'refused':
      throw new HttpProblem('CONFLICT', `backfill ${id} is ${change.status} and cannot be ${verb}`);
    case 'not_found':
      throw notFound('backfill', id);
    default:
      return assertNever(change);
  }
}
