/** What a submission's outcome means over HTTP; the same for one run and for an item of a batch. */
import { assertNever } from '@spine/core';
import { DEFAULTS } from '@spine/execution';
import type { SubmitOutcome, WorkSpec } from '@spine/execution';
import { HttpProblem, invalid } from '../http/problem.ts';
import type { RunAcceptedJson } from './run.schemas.ts';

export type Submitted =
  | { readonly type: 'accepted'; readonly run: RunAcceptedJson; readonly warnings: readonly string[] }
  | { readonly type: 'existing'; readonly run: RunAcceptedJson }
  | { readonly type: 'refused'; readonly problem: HttpProblem };

export function submitted(spec: WorkSpec, outcome: SubmitOutcome): Submitted {
  switch (outcome.type) {
    case 'accepted':
      return {
        type: 'accepted',
        run: {
          run_id: outcome.runId,
          status: outcome.status,
          kind: spec.kind,
          name: spec.name,
          lane: spec.lane ?? DEFAULTS.lane,
          created_at: outcome.createdAt.toISOString(),
        },
        warnings: outcome.warnings,
      };
    case 'existing': {
      const { runId, status, kind, name, lane, createdAt } = outcome.run;
      const run = { run_id: runId, status, kind, name, lane, created_at: createdAt.toISOString() };
      return { type: 'existing', run };
    }
    case 'conflict':
    case 'invalid':
    case 'unknown_handler':
    case 'fenced':
      return { type: 'refused', problem: refusal(outcome) };
    default:
      return assertNever(outcome);
  }
}

type Refused = Exclude<SubmitOutcome, { type: 'accepted' | 'existing' }>;

function refusal(outcome: Refused): HttpProblem {
  switch (outcome.type) {
    case 'conflict': {
      const message = `belongs to run ${outcome.run.runId}, which asked for something else`;
      return new HttpProblem('CONFLICT', `idempotency_key ${message}`, {
        errors: [{ field: 'idempotency_key', code: 'conflict', message }],
      });
    }
    case 'invalid': {
      const tooLarge = outcome.issues.find((issue) => issue.code === 'too_large');
      if (tooLarge === undefined) return invalid(outcome.issues);
      return new HttpProblem('PAYLOAD_TOO_LARGE', tooLarge.message, { errors: outcome.issues });
    }
    case 'unknown_handler':
      return invalid([
        {
          field: 'name',
          code: 'unknown_handler',
          message:
            `no handler ${outcome.handler} is known here or to a live worker; GET /api/v1/functions lists the handlers, ` +
            '?allow_unknown=true accepts the run all the same',
        },
      ]);
    case 'fenced':
      return new HttpProblem('CONFLICT', 'the submitting attempt no longer holds its run');
    default:
      return assertNever(outcome);
  }
}
