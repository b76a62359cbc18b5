/** Payments as they arrive, and what is wrong with some of them. Pure: the diagnosis of the healer. */
import { z } from 'zod';
import { hashJson, isDecimalText, Severity, ValidationError } from '@spine/core';
import { decimalText } from './fields.ts';

/** As it arrives: the amount is any text. */
export const payment = z.strictObject({
  id: z.string().regex(/^[A-Z]-\d{4,10}$/),
  amount: z.string().max(100),
  currency: z.string().regex(/^[A-Z]{3}$/),
});
export type Payment = z.infer<typeof payment>;
export const payments = z.array(payment).min(1).max(1_000);

/** A payment that may be stored. */
export const soundPayment = payment.extend({ amount: decimalText });

/** Why a payment may not be stored; null for one that may. The rule is strict: an amount is decimal text. */
export function refusalOf(given: Payment): ValidationError | null {
  if (isDecimalText(given.amount)) return null;
  const message = `${given.id} has the amount ${JSON.stringify(given.amount)}, which is no decimal text`;
  return new ValidationError(`amount: ${message}`, {
    issues: [{ field: 'payment.amount', code: 'invalid_decimal', message }],
  });
}

export type Diagnosis =
  /** Can be done again, like this. */
  | { readonly type: 'repair'; readonly payment: Payment }
  /** A person decides. */
  | { readonly type: 'leave'; readonly reason: string };

/** `1,250.00` and `$88.10` say what they mean in another spelling; what else is wrong is no matter of spelling. */
const THOUSANDS = /^\d{1,3}(,\d{3})+(\.\d+)?$/;

/** What may be done about the params of work that has failed. */
export function diagnose(params: unknown): Diagnosis {
  const failed = z.strictObject({ payment }).safeParse(params);
  if (!failed.success) return { type: 'leave', reason: 'its params are no payment' };
  const { payment: given } = failed.data;
  const spelled = given.amount.trim().replace(/^\$/, '');
  const amount = THOUSANDS.test(spelled) ? spelled.replaceAll(',', '') : spelled;
  if (isDecimalText(amount)) return { type: 'repair', payment: { ...given, amount } };
  return { type: 'leave', reason: `${JSON.stringify(given.amount)} is no amount` };
}

/** How bad it is that so many of so many are broken: a tenth or more is an error. */
export function severityOf(broken: number, total: number): Severity {
  return broken * 10 >= total ? Severity.ERROR : Severity.WARN;
}

/**
 * The id under which a broken payment waits, made of all that it says: a UUID of version 8 (RFC 9562, section 5.8) of its
 * SHA-256. It stands where the letter of a run has the run's id.
 */
export function letterIdOf(broken: Payment): string {
  const hash = hashJson({ broken_payment: broken });
  const digits = (from: number, to: number): string => hash.slice(from, to);
  return `${digits(0, 8)}-${digits(8, 12)}-8${digits(13, 16)}-8${digits(17, 20)}-${digits(20, 32)}`;
}
