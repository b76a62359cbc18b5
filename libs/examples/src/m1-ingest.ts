/**
 * M1, the first half: payments are fetched and stored, and what cannot be stored becomes a dead letter: the handler that
 * would store the payment, and the payment as it came.
 *
 * 1. The sound payments, the letters, the verdict on quality and the anomaly commit together, with the end of the run.
 * 2. A payment is stored once: under the lock of its key only the first writer finds version 0. 3. A broken payment has
 *    one letter, however often and by however many runs it is met: the letter's id is made of the payment, and unique.
 */
import { z } from 'zod';
import {
  AnomalyCategory,
  NetworkError,
  qualityPass,
  QualityRunner,
  qualityWarn,
  toErrorInfo,
} from '@spine/core';
import type { ValidationError } from '@spine/core';
import { addDeadLetter, factVersion, listDeadLetters, supersedeFact } from '@spine/database';
import type { DbTransaction, DeadLetter } from '@spine/database';
import { toStoredError } from '@spine/execution';
import type { HandlerContext, Publication } from '@spine/execution';
import { letterIdOf, payment, payments, refusalOf, severityOf } from './m1-payments.ts';
import type { Payment } from './m1-payments.ts';
import { readJsonFixture } from './fixtures.ts';

export const PAYMENTS_DOMAIN = 'examples.payments';
export const STORE_PAYMENT = 'examples.m1_store_payment';
const PAYMENTS_BREAKER = 'examples_payments';
/** Letters that one run looks at. */
export const MAX_LETTERS = 100;

export const fetchParams = z.strictObject({
  request: z.strictObject({
    payments: payments.optional().describe('Default: those that come with the example.'),
    fail_first: z.int().min(0).max(5).describe('Attempts that the source fails.'),
  }),
});

/** @throws NetworkError for the first attempts, as many as the params say. */
export async function fetchPayments({ request }: z.output<typeof fetchParams>, ctx: HandlerContext) {
  const { payments: given, fail_first } = request;
  const attempt = Number(ctx.run.metadata['step_attempt'] ?? ctx.run.attempt);
  const found = await ctx.breaker(PAYMENTS_BREAKER).fire(async () => {
    if (attempt <= fail_first)
      throw new NetworkError(`attempt ${attempt}: the payments could not be reached`);
    return given ?? payments.parse(await readJsonFixture('payments'));
  });
  return { payments: [...found], attempt };
}

export const storeParams = z.strictObject({ payment });

/** @throws ValidationError for a payment that may not be stored: as a run of its own, that is a dead letter. */
export async function storePayment({ payment: given }: z.output<typeof storeParams>, ctx: HandlerContext) {
  const refusal = refusalOf(given);
  if (refusal !== null) throw refusal;
  return ctx.publish(async ({ trx }) => ({ id: given.id, ...(await store(trx, given, ctx.run.runId)) }));
}

/** A payment is stored once: what is there stays as it is. */
export async function store(
  trx: DbTransaction,
  { id, ...value }: Payment,
  runId: string,
): Promise<{ readonly stored: boolean }> {
  const outcome = await supersedeFact(trx, {
    type: 'assert',
    domain: PAYMENTS_DOMAIN,
    factKey: id,
    valid: { from: new Date(0), to: null },
    value,
    source: { runId },
    expectedVersion: 0,
  });
  return { stored: outcome.type === 'superseded' };
}

/** Pending letters of payments that could not be stored, the oldest first. */
export async function pendingLetters(trx: DbTransaction): Promise<readonly DeadLetter[]> {
  const pending = { kind: 'operation', name: STORE_PAYMENT, resolved: false } as const;
  const page = { limit: MAX_LETTERS, offset: 0, order: 'oldest_first' } as const;
  return (await listDeadLetters(trx, pending, page)).deadLetters;
}

interface Refused {
  readonly payment: Payment;
  readonly refusal: ValidationError;
}

export const quarantineParams = z.strictObject({ payments });

export async function storeOrQuarantine(
  { payments: given }: z.output<typeof quarantineParams>,
  ctx: HandlerContext,
) {
  // One order for everybody who writes several keys in one transaction.
  const list = [...given].sort((a, b) => (a.id < b.id ? -1 : 1));
  const judged = list.map((each) => ({ payment: each, refusal: refusalOf(each) }));
  const broken = judged.filter((each): each is Refused => each.refusal !== null);
  const outcomes = await qualityOf(broken.length, list.length).runAll(undefined);
  return ctx.publish(async (p) => {
    let stored = 0;
    for (const { payment: each, refusal } of judged) {
      if (refusal === null && (await store(p.trx, each, ctx.run.runId)).stored) stored += 1;
    }
    const quarantined = await quarantine(p, broken, ctx);
    await p.quality({ domain: PAYMENTS_DOMAIN, partitionKey: {}, stage: 'STORED' }, outcomes);
    const anomaly =
      quarantined === 0
        ? null
        : await p.anomaly({
            domain: PAYMENTS_DOMAIN,
            stage: 'STORED',
            severity: severityOf(broken.length, list.length),
            category: AnomalyCategory.DATA_QUALITY,
            message: `${quarantined} of ${list.length} payments cannot be stored`,
          });
    return {
      payments: list.length,
      valid: list.length - broken.length,
      stored,
      quarantined,
      anomaly_id: anomaly?.anomalyId ?? null,
    };
  });
}

function qualityOf(broken: number, total: number): QualityRunner<undefined> {
  const message = `${broken} of ${total} payments are broken`;
  return new QualityRunner<undefined>().add({
    name: 'amounts_are_decimals',
    category: 'INTEGRITY',
    check: () => (broken === 0 ? qualityPass(message) : qualityWarn(message)),
  });
}

/** Answers how many letters are new. */
async function quarantine(
  { trx }: Publication,
  broken: readonly Refused[],
  ctx: HandlerContext,
): Promise<number> {
  let added = 0;
  for (const { payment: each, refusal } of broken) {
    if ((await factVersion(trx, { domain: PAYMENTS_DOMAIN, factKey: each.id })) > 0) continue;
    const outcome = await addDeadLetter(trx, {
      runId: letterIdOf(each),
      kind: 'operation',
      name: STORE_PAYMENT,
      lane: ctx.run.lane,
      params: { payment: each },
      error: toStoredError(toErrorInfo(refusal)),
      attempts: 1,
      crashCount: 0,
      correlationId: ctx.run.correlationId,
    });
    if (outcome.type === 'added') added += 1;
  }
  return added;
}
