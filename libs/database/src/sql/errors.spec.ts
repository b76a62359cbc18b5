import { describe, expect, it } from 'vitest';
import { classifySqlFault, isUniqueViolation } from './errors.ts';

const coded = (code: unknown): Error => Object.assign(new Error('it failed'), { code });

describe('classifySqlFault', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENETDOWN',
    'ECONNABORTED',
    '08000',
    '08003',
    '08006',
    '57P01',
    '57P02',
    '57P03',
    '53300',
  ])('%s is a broken connection', (code) => {
    expect(classifySqlFault(coded(code))).toBe('connection');
  });

  it.each([
    ['40001', 'conflict'],
    ['40P01', 'conflict'],
    ['22P02', 'data'],
    ['22P05', 'data'],
    ['22021', 'data'],
    ['23505', 'data'],
    ['23514', 'data'],
    ['23502', 'data'],
    ['42703', 'other'],
    ['42501', 'other'],
    ['57014', 'other'],
    ['40002', 'other'],
  ])('%s is %s', (code, fault) => {
    expect(classifySqlFault(coded(code))).toBe(fault);
  });

  it('knows what pg says without a code', () => {
    expect(classifySqlFault(new Error('Connection terminated unexpectedly'))).toBe('connection');
    expect(classifySqlFault(new Error('Connection terminated due to connection timeout'))).toBe('connection');
    expect(classifySqlFault(new Error('timeout exceeded when trying to connect'))).toBe('connection');
    expect(classifySqlFault(new Error('Query read timeout'))).toBe('connection');
    expect(
      classifySqlFault(new Error('Client has encountered a connection error and is not queryable')),
    ).toBe('connection');
  });

  it('believes a code more than a message', () => {
    expect(classifySqlFault(Object.assign(new Error('no connection'), { code: '23514' }))).toBe('data');
  });

  it.each([
    [new Error('boom')],
    [new RangeError('a flush of 2 items')],
    ['ECONNRESET'],
    [null],
    [undefined],
    [{}],
    [coded(7)],
  ])('makes nothing of %s', (error) => {
    expect(classifySqlFault(error)).toBe('other');
  });
});

describe('isUniqueViolation', () => {
  const violation = Object.assign(coded('23505'), { constraint: 'runs_idempotency_key' });

  it('is about any unique index, or the one named', () => {
    expect(isUniqueViolation(violation)).toBe(true);
    expect(isUniqueViolation(violation, 'runs_idempotency_key')).toBe(true);
    expect(isUniqueViolation(violation, 'runs_pkey')).toBe(false);
  });

  it('is not about other faults', () => {
    expect(isUniqueViolation(coded('23514'))).toBe(false);
    expect(isUniqueViolation(new Error('23505'))).toBe(false);
    expect(isUniqueViolation(coded('23505'), 'runs_pkey')).toBe(false);
    expect(isUniqueViolation(null)).toBe(false);
  });
});
