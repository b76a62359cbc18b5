import { describe, expect, it } from 'vitest';
import { ConflictError, ValidationError } from '../errors/permanent.ts';
import { correctionHistory, CorrectionReason, CorrectionRecord, type NewCorrection } from './correction.ts';
import { Decimal, parseDecimal } from './decimal.ts';

const AT = new Date('2025-03-15T14:00:00Z');

function correction(
  original: string,
  corrected: string,
  more: Partial<NewCorrection> = {},
): CorrectionRecord {
  return CorrectionRecord.create({
    entityKey: 'AAPL',
    fieldName: 'eps_diluted',
    originalValue: parseDecimal(original),
    correctedValue: parseDecimal(corrected),
    reason: CorrectionReason.RESTATEMENT,
    correctedBy: 'filing-parser',
    correctedAt: AT,
    sourceRef: '10-K/A filed 2025-03-15',
    ...more,
  });
}

describe('CorrectionRecord', () => {
  it('knows by how much a value changed, exactly', () => {
    const record = correction('1.52', '1.46');
    expect(record.delta.toString()).toBe('-0.06');
    expect(record.pctChange?.toFixed(6)).toBe('-0.039474');
  });

  it.each([
    ['100', '110', '0.1'],
    ['-10', '-5', '0.5'],
    ['-10', '-15', '-0.5'],
    ['4', '4', '0'],
  ])('from %s to %s is a change of %s', (from, to, change) => {
    expect(correction(from, to).pctChange?.toString()).toBe(change);
  });

  it('has no relative change from zero', () => {
    expect(correction('0.00', '1500000000').pctChange).toBeNull();
    expect(correction('0', '1500000000').delta.toString()).toBe('1500000000');
  });

  it('is JSON with exact values, and cannot be changed', () => {
    const record = correction('0.1', '0.3', { id: 'c-1' });
    expect(record.toJSON()).toEqual({
      id: 'c-1',
      entity_key: 'AAPL',
      field_name: 'eps_diluted',
      original_value: '0.1',
      corrected_value: '0.3',
      delta: '0.2',
      pct_change: '2',
      reason: 'RESTATEMENT',
      corrected_by: 'filing-parser',
      corrected_at: '2025-03-15T14:00:00.000Z',
      source_ref: '10-K/A filed 2025-03-15',
      supersedes: null,
      metadata: {},
    });
    expect([record, record.metadata].every((part) => Object.isFrozen(part))).toBe(true);
  });

  it.each([
    [{ entityKey: ' ' }, 'entity_key'],
    [{ fieldName: '' }, 'field_name'],
    [{ correctedBy: '' }, 'corrected_by'],
    [{ originalValue: new Decimal(Number.NaN) }, 'original_value'],
    [{ correctedValue: new Decimal(Infinity) }, 'corrected_value'],
    [{ correctedAt: new Date(Number.NaN) }, 'corrected_at'],
  ] as const)('refuses %o, naming %s', (wrong, field) => {
    expect(() => correction('1', '2', wrong)).toThrow(ValidationError);
    expect(() => correction('1', '2', wrong)).toThrow(new RegExp(`^${field}: `));
  });
});

describe('the history of a corrected value', () => {
  const first = correction('1.52', '1.46', { id: 'first' });
  const again = { reason: CorrectionReason.DATA_ERROR, correctedBy: 'reconciliation', correctedAt: AT };
  const second = first.supersede({ ...again, correctedValue: parseDecimal('1.47'), id: 'second' });
  const third = second.supersede({ ...again, correctedValue: parseDecimal('1.52'), id: 'third' });

  it('goes on from the value that was corrected last', () => {
    expect([second.originalValue.toString(), second.supersedes, second.entityKey]).toEqual([
      '1.46',
      'first',
      'AAPL',
    ]);
    expect(correctionHistory([third, first, second]).map(({ id }) => id)).toEqual([
      'first',
      'second',
      'third',
    ]);
    expect(correctionHistory([])).toEqual([]);
  });

  it.each([
    ['a fork', [first, second, first.supersede({ ...again, correctedValue: parseDecimal('9') })]],
    ['two beginnings', [first, correction('1', '2')]],
    ['a gap', [first, third]],
    ['no beginning', [second, third]],
    ['another field', [first, correction('1.46', '2', { fieldName: 'revenue', supersedes: 'first' })]],
    ['a circle', [first, correction('1.46', '2', { id: 'first', supersedes: 'first' })]],
  ])('is refused with %s', (_, records) => {
    expect(() => correctionHistory(records)).toThrow(ConflictError);
  });
});
