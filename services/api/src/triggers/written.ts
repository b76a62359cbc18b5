import { assertNever } from '@spine/core';
import type { TriggerRecord, TriggerWrite } from '@spine/database';
import { HttpProblem, notFound } from '../http/problem.ts';

/** The trigger that was written. @param id as it was asked for. @throws HttpProblem when none was. */
export function writtenOf(written: TriggerWrite, id: string): TriggerRecord {
  switch (written.type) {
    case 'written':
      return written.trigger;
    case 'name_taken': {
      const name = JSON.stringify(written.name);
      throw new HttpProblem('CONFLICT', `there is a trigger of the name ${name} already`, {
        errors: [{ field: 'name', code: 'taken', message: 'is the name of another trigger' }],
      });
    }
    case 'stale':
      throw new HttpProblem(
        'CONFLICT',
        `the trigger is at version ${written.trigger.version} by now; read it again`,
      );
    case 'not_found':
      throw notFound('trigger', id);
    default:
      return assertNever(written);
  }
}
