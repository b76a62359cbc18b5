/**
 * How a run's row names a payload outside it: `pg:params:<sha256>:<bytes>`, `file:result:3:<sha256>:<bytes>`. Which run
 * is said by the row, and where the store keeps it is the store's own business: a reference is never a path.
 */
import { sha256Hex } from '@spine/core';
import type { PayloadKey, PayloadSlot } from '@spine/database';
import { PayloadCorruptError } from './errors.ts';

export const PAYLOAD_SCHEMES = ['pg', 'file'] as const;
/** Which store has it. */
export type PayloadScheme = (typeof PAYLOAD_SCHEMES)[number];

export interface PayloadRef {
  readonly scheme: PayloadScheme;
  readonly slot: PayloadSlot;
  /** Of the JSON text as UTF-8, 64 hex digits. */
  readonly sha256: string;
  readonly bytes: number;
}

const REF = /^(pg|file):(params|result:\d{1,15}):([0-9a-f]{64}):(\d{1,15})$/;

/** Whether a slot has one of the two forms: it becomes part of a file's name. */
export function isPayloadSlot(text: string): text is PayloadSlot {
  return /^(?:params|result:\d{1,15})$/.test(text);
}

/** A payload as messages name it. */
export function nameOf({ runId, slot }: PayloadKey): string {
  const [what, epoch] = slot.split(':');
  return `the ${what} of run ${runId}${epoch === undefined ? '' : ` (epoch ${epoch})`}`;
}

export function resultSlot(epoch: number): PayloadSlot {
  return `result:${epoch}`;
}

/** The reference of a text, stored under a slot. */
export function refOf(scheme: PayloadScheme, slot: PayloadSlot, text: string): PayloadRef {
  return { scheme, slot, sha256: sha256Hex(text), bytes: Buffer.byteLength(text) };
}

export function formatRef({ scheme, slot, sha256, bytes }: PayloadRef): string {
  return `${scheme}:${slot}:${sha256}:${bytes}`;
}

/** @throws PayloadCorruptError for text that is no reference. */
export function parseRef(text: string): PayloadRef {
  const [, scheme, slot, sha256, bytes] = REF.exec(text) ?? [];
  if (scheme === undefined || slot === undefined || sha256 === undefined || !isPayloadSlot(slot)) {
    throw new PayloadCorruptError(
      `a run names its payload ${JSON.stringify(text.slice(0, 200))}, which is no reference`,
    );
  }
  return { scheme: scheme === 'file' ? 'file' : 'pg', slot, sha256, bytes: Number(bytes) };
}

/** What stands in the place of a payload that is not there: `{"$omitted": {"bytes": …, "sha256": …}}`. */
export interface OmittedPayload {
  readonly $omitted: { readonly bytes: number; readonly sha256: string; readonly reason?: string };
}

export function standIn({ bytes, sha256 }: PayloadRef, reason?: string): OmittedPayload {
  return { $omitted: { bytes, sha256, ...(reason === undefined ? {} : { reason }) } };
}
