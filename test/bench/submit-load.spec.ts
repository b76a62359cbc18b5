import { expect, it } from 'vitest';
import { VoidMeasurementError } from './model.ts';
import { assertStored } from './submit-load.ts';

const result = { accepted: 100, refused: 0, seconds: 1, p50: 1, p99: 2 };

it.each([
  ['every answer has a row', result, 100],
  ['requests under way at the end were stored', result, 108],
])('counts when %s', (_, measured, stored) => {
  expect(() => assertStored(measured, stored, 8)).not.toThrow();
});

it.each([
  ['an accepted run has no row', result, 99],
  ['more rows than connections were answered by nobody', result, 109],
  ['a submit was refused', { ...result, refused: 1 }, 100],
])('is void when %s', (_, measured, stored) => {
  expect(() => assertStored(measured, stored, 8)).toThrow(VoidMeasurementError);
});
