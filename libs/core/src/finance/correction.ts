import { ConflictError, ValidationError } from '../errors/permanent.ts';
import { newId } from '../ids.ts';
import type { JsonObject } from '../json/json-value.ts';
import { Decimal } from './decimal.ts';

/** Why a published value was changed. */
export const CorrectionReason = {
  RESTATEMENT: 'RESTATEMENT',
  DATA_ERROR: 'DATA_ERROR',
  METHODOLOGY_CHANGE: 'METHODOLOGY_CHANGE',
  VENDOR_CORRECTION: 'VENDOR_CORRECTION',
  LATE_REPORTING: 'LATE_REPORTING',
  ROUNDING: 'ROUNDING',
  OTHER: 'OTHER',
} as const;
export type CorrectionReason = (typeof CorrectionReason)[keyof typeof CorrectionReason];

export interface NewCorrection {
  /** What the value belongs to, e.g. a symbol. Not empty. */
  readonly entityKey: string;
  /** Which of its values, e.g. 'eps_diluted'. Not empty. */
  readonly fieldName: string;
  readonly originalValue: Decimal;
  readonly correctedValue: Decimal;
  readonly reason: CorrectionReason;
  /** Who or what made the correction. Not empty. */
  readonly correctedBy: string;
  readonly correctedAt: Date;
  /** The document or message that calls for it. Default null. */
  readonly sourceRef?: string | null;
  /** The id of the correction that this one corrects in turn. Default null. */
  readonly supersedes?: string | null;
  /** Default: a new one. */
  readonly id?: string;
  /** Default {}. */
  readonly metadata?: JsonObject;
}

/**
 * One change of a published value: old and new side by side, with the reason. Immutable, and never applied by
 * overwriting: the old value stays readable here.
 */
export class CorrectionRecord {
  readonly id: string;
  readonly entityKey: string;
  readonly fieldName: string;
  readonly originalValue: Decimal;
  readonly correctedValue: Decimal;
  readonly reason: CorrectionReason;
  readonly correctedBy: string;
  /** ISO 8601 in UTC: a Date could be changed. */
  readonly correctedAt: string;
  readonly sourceRef: string | null;
  readonly supersedes: string | null;
  readonly metadata: JsonObject;

  private constructor(given: NewCorrection) {
    this.id = given.id ?? newId();
    this.entityKey = named(given.entityKey, 'entity_key');
    this.fieldName = named(given.fieldName, 'field_name');
    this.originalValue = finite(given.originalValue, 'original_value');
    this.correctedValue = finite(given.correctedValue, 'corrected_value');
    this.reason = given.reason;
    this.correctedBy = named(given.correctedBy, 'corrected_by');
    this.correctedAt = instant(given.correctedAt);
    this.sourceRef = given.sourceRef ?? null;
    this.supersedes = given.supersedes ?? null;
    this.metadata = Object.freeze({ ...given.metadata });
    Object.freeze(this);
  }

  /** Throws ValidationError for an empty name, a value that is not finite, and an invalid date. */
  static create(given: NewCorrection): CorrectionRecord {
    return new CorrectionRecord(given);
  }

  /** Corrects the corrected value once more: the same field of the same entity, from where this record left it. */
  supersede(
    next: Omit<NewCorrection, 'entityKey' | 'fieldName' | 'originalValue' | 'supersedes'>,
  ): CorrectionRecord {
    return new CorrectionRecord({
      ...next,
      entityKey: this.entityKey,
      fieldName: this.fieldName,
      originalValue: this.correctedValue,
      supersedes: this.id,
    });
  }

  /** Corrected minus original. */
  get delta(): Decimal {
    return this.correctedValue.minus(this.originalValue);
  }

  /**
   * The change as a fraction of the original's size, delta / |original|: -0.0394… is 3.94 % less, and its sign is
   * the delta's also where the original is negative. To 50 digits. Null when the original is zero.
   */
  get pctChange(): Decimal | null {
    return this.originalValue.isZero() ? null : this.delta.div(this.originalValue.abs());
  }

  toJSON(): JsonObject {
    return {
      id: this.id,
      entity_key: this.entityKey,
      field_name: this.fieldName,
      original_value: this.originalValue.toString(),
      corrected_value: this.correctedValue.toString(),
      delta: this.delta.toString(),
      pct_change: this.pctChange?.toString() ?? null,
      reason: this.reason,
      corrected_by: this.correctedBy,
      corrected_at: this.correctedAt,
      source_ref: this.sourceRef,
      supersedes: this.supersedes,
      metadata: this.metadata,
    };
  }
}

/**
 * The corrections of one value from the first to the one that holds, whatever order they are given in. Throws
 * ConflictError when they are no single line: two first ones, two that supersede the same, a superseded one that is
 * missing, an id that occurs twice, or records of more than one value.
 */
export function correctionHistory(records: readonly CorrectionRecord[]): CorrectionRecord[] {
  const successors = new Map<string | null, CorrectionRecord>();
  for (const record of records) {
    const rival = successors.get(record.supersedes);
    if (rival !== undefined) {
      throw new ConflictError(
        `corrections: ${rival.id} and ${record.id} both follow ${record.supersedes ?? 'the published value'}; ` +
          'allowed is one line of corrections',
      );
    }
    successors.set(record.supersedes, record);
  }
  const line = new Map<string, CorrectionRecord>();
  let next = successors.get(null);
  // A record that is already in the line would lead around in a circle.
  while (next !== undefined && !line.has(next.id)) {
    line.set(next.id, next);
    next = successors.get(next.id);
  }
  const [first] = line.values();
  const strange = records.find(
    (record) =>
      line.get(record.id) !== record ||
      record.entityKey !== first?.entityKey ||
      record.fieldName !== first.fieldName,
  );
  if (strange !== undefined) {
    throw new ConflictError(
      `corrections: ${strange.id} does not follow from the first correction of the same value; ` +
        'allowed are all corrections of one field of one entity',
    );
  }
  return [...line.values()];
}

function named(text: string, field: string): string {
  if (text.trim() !== '') return text;
  throw new ValidationError(`${field}: it is empty; allowed is any other text`, {
    issues: [{ field, code: 'empty', message: 'must not be empty' }],
  });
}

function finite(value: Decimal, field: string): Decimal {
  if (value.isFinite()) return new Decimal(value);
  throw new ValidationError(`${field}: ${value.toString()} is no number; allowed are finite decimals`, {
    issues: [{ field, code: 'not_finite', message: 'must be a finite decimal' }],
  });
}

function instant(date: Date): string {
  if (!Number.isNaN(date.getTime())) return date.toISOString();
  throw new ValidationError('corrected_at: an invalid date; allowed are valid dates', {
    issues: [{ field: 'corrected_at', code: 'invalid_date', message: 'must be a valid date' }],
  });
}
