/**
 * Questions that workflows ask people.
 *
 * 1. A question is answered once, while it is open: the guarded UPDATE decides, not who has looked before. 2. The answer
 * and the word of it to the workflow commit together.
 */
import { TELL_DRIVERS_SQL } from '../control/channel.ts';
import { plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';

export interface NewApproval {
  readonly step: string;
  readonly attempt: number;
  /** Who may answer; empty for anybody. */
  readonly approvers: readonly string[];
  readonly message: string;
  /** JSON of what is shown with the question. */
  readonly fields: unknown;
  readonly expiresAt: Date;
}

export async function askApproval(
  trx: DbTransaction,
  workflowRunId: string,
  approval: NewApproval,
): Promise<void> {
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_approvals (workflow_run_id, step, attempt, approvers, message, fields, expires_at)
VALUES ($1::uuid, $2, $3, $4::text[], $5, $6::jsonb, $7)`,
    values: [
      workflowRunId,
      approval.step,
      approval.attempt,
      textArray(approval.approvers),
      approval.message,
      JSON.stringify(approval.fields),
      approval.expiresAt.toISOString(),
    ],
  });
}

/** Takes back questions that nobody has answered. */
export async function withdrawApprovals(
  trx: DbTransaction,
  asked: readonly { readonly workflowRunId: string; readonly step: string; readonly attempt: number }[],
): Promise<void> {
  if (asked.length === 0) return;
  await asQueryable(trx).query({
    text: `UPDATE workflow_approvals a SET withdrawn_at = now()
FROM unnest($1::uuid[], $2::text[], $3::integer[]) AS t(workflow_run_id, step, attempt)
WHERE a.workflow_run_id = t.workflow_run_id AND a.step = t.step AND a.attempt = t.attempt
  AND a.decided_at IS NULL AND a.withdrawn_at IS NULL`,
    values: [
      plainArray(asked.map(({ workflowRunId }) => workflowRunId)),
      textArray(asked.map(({ step }) => step)),
      plainArray(asked.map(({ attempt }) => attempt)),
    ],
  });
}

export interface ApprovalDecision {
  readonly approved: boolean;
  readonly by: string;
  /** The principal that has said so; absent where nobody knows. */
  readonly via?: string;
  readonly comment: string | null;
}

export type DecideOutcome =
  | { readonly type: 'decided' }
  /** No such question is open. */
  | { readonly type: 'not_open' }
  /** Its time is over: it fails as soon as a driver looks. */
  | { readonly type: 'expired'; readonly at: Date }
  /** Somebody else is asked. */
  | { readonly type: 'not_asked'; readonly approvers: readonly string[] };

/**
 * Answers the open question of a step and tells the workflow.
 * @param event JSON of what the workflow is told.
 */
export function decideApproval(
  db: Db,
  workflowRunId: string,
  step: string,
  { approved, by, via, comment }: ApprovalDecision,
  event: unknown,
): Promise<DecideOutcome> {
  return db.transaction().execute(async (trx): Promise<DecideOutcome> => {
    const on = asQueryable(trx);
    const { rows } = await on.query<{
      attempt: number;
      approvers: string[];
      expires_at: Date;
      expired: boolean;
    }>({
      text: `SELECT attempt, approvers, expires_at, expires_at <= now() AS expired FROM workflow_approvals
WHERE workflow_run_id = $1::uuid AND step = $2 AND decided_at IS NULL AND withdrawn_at IS NULL
ORDER BY attempt DESC LIMIT 1 FOR UPDATE`,
      values: [workflowRunId, step],
    });
    const [asked] = rows;
    if (asked === undefined) return { type: 'not_open' };
    if (asked.expired) return { type: 'expired', at: asked.expires_at };
    if (asked.approvers.length > 0 && !asked.approvers.includes(by)) {
      return { type: 'not_asked', approvers: asked.approvers };
    }
    await on.query({
      text: `WITH a AS (
  UPDATE workflow_approvals SET decided_at = now(), approved = $4, decided_by = $5, comment = $6, decided_via = $8
  WHERE workflow_run_id = $1::uuid AND step = $2 AND attempt = $3
)
INSERT INTO workflow_inbox (workflow_run_id, event) VALUES ($1::uuid, $7::jsonb) RETURNING ${TELL_DRIVERS_SQL}`,
      values: [workflowRunId, step, asked.attempt, approved, by, comment, JSON.stringify(event), via ?? null],
    });
    return { type: 'decided' };
  });
}
