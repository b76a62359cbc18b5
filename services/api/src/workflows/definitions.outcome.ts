/** What a refused change of a workflow means over HTTP. */
import { assertNever } from '@spine/core';
import type { ArchiveOutcome, PublishOutcome, RollbackOutcome } from '@spine/database';
import { HttpProblem, notFound } from '../http/problem.ts';

type Refused =
  | Exclude<PublishOutcome | RollbackOutcome | ArchiveOutcome, { readonly workflow: unknown }>
  | Extract<PublishOutcome, { type: 'stale' }>;

export function refusal(outcome: Refused, name: string): HttpProblem {
  switch (outcome.type) {
    case 'stale':
      return new HttpProblem(
        'CONFLICT',
        `workflow ${name} is at revision ${outcome.workflow.revision} by now; read it again`,
      );
    case 'owned_by_code':
      return new HttpProblem(
        'CONFLICT',
        `workflow ${name} is defined by the code of this deployment; change it there, or post it under another name`,
      );
    case 'archived':
      return new HttpProblem(
        'CONFLICT',
        `workflow ${name} is archived; POST /api/v1/workflows takes it up again`,
      );
    case 'no_version':
      return new HttpProblem('NOT_FOUND', `workflow ${name} has no such version`);
    case 'not_found':
      return notFound('workflow', name);
    default:
      return assertNever(outcome);
  }
}
