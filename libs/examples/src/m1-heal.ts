/**
 * M1, the second half: dead letters are looked at, and what a change of spelling mends is done again.
 *
 * 1. A letter closes in the transaction that stores its payment: it is never closed without, and no payment is stored by
 *    two replays. 2. The run that replays a letter is the one the letter names. 3. What cannot be repaired stays pending,
 *    and its anomaly open: a person decides.
 */
import { z } from 'zod';
import { closeDeadLetters, resolveAnomaly } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { MAX_LETTERS, pendingLetters, store } from './m1-ingest.ts';
import { diagnose, soundPayment } from './m1-payments.ts';

const HEALER = 'examples.m1_self_healing';

export const diagnoseParams = z.strictObject({});

export async function diagnoseLetters(_params: z.output<typeof diagnoseParams>, ctx: HandlerContext) {
  const letters = await ctx.transaction(pendingLetters);
  const found = letters.map(({ deadLetterId, params }) => ({
    dead_letter_id: deadLetterId,
    diagnosis: diagnose(params),
  }));
  return {
    replay: found.flatMap(({ dead_letter_id, diagnosis }) =>
      diagnosis.type === 'repair' ? [{ dead_letter_id, payment: diagnosis.payment }] : [],
    ),
    left: found.flatMap(({ dead_letter_id, diagnosis }) =>
      diagnosis.type === 'leave' ? [{ dead_letter_id, reason: diagnosis.reason }] : [],
    ),
  };
}

export const replayParams = z.strictObject({ dead_letter_id: z.uuid(), payment: soundPayment });

export async function replayLetter(
  { dead_letter_id, payment }: z.output<typeof replayParams>,
  ctx: HandlerContext,
) {
  const { runId } = ctx.run;
  return ctx.publish(async ({ trx }) => {
    const closing = [{ deadLetterId: dead_letter_id, replayRunId: runId }];
    const closed = await closeDeadLetters(trx, closing, HEALER, 'the amount is spelled as a decimal');
    if (closed.length === 0) return { id: payment.id, outcome: 'closed_before' };
    const { stored } = await store(trx, payment, runId);
    return { id: payment.id, outcome: stored ? 'healed' : 'stored_before' };
  });
}

export const postMortemParams = z.strictObject({
  stored: z.object({
    payments: z.int(),
    valid: z.int(),
    quarantined: z.int(),
    anomaly_id: z.string().nullable(),
  }),
  left: z.array(z.object({ dead_letter_id: z.uuid(), reason: z.string() })).max(MAX_LETTERS),
  replays: z.array(z.object({ id: z.string(), outcome: z.string() })),
});

/** What has happened, and whether somebody has to look. An anomaly of which nothing is left is resolved. */
export async function postMortem(
  { stored, left, replays }: z.output<typeof postMortemParams>,
  ctx: HandlerContext,
) {
  const healed = replays.flatMap(({ id, outcome }) => (outcome === 'healed' ? [id] : [])).sort();
  const { anomaly_id } = stored;
  const resolved =
    anomaly_id !== null && left.length === 0
      ? await ctx.transaction((trx) =>
          resolveAnomaly(trx, anomaly_id, HEALER, `${healed.length} payments were stored after all`),
        )
      : null;
  const broken = stored.payments - stored.valid;
  return {
    incident: stored.quarantined > 0 || left.length > 0,
    severity: broken * 20 > stored.payments ? 'P2' : 'P4',
    healed,
    left_for_a_person: left,
    anomaly: anomaly_id === null ? 'none' : resolved === null ? 'open' : 'resolved',
  };
}
