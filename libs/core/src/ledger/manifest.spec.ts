import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, ValidationError } from '../errors/permanent.ts';
import { defineStages, isAtLeastStage, latestStage } from './manifest.ts';

const STAGES = defineStages(['PENDING', 'INGESTED', 'NORMALIZED', 'AGGREGATED']);
const reached = (...names: string[]) =>
  names.map((stage) => ({ stage, stageRank: STAGES.names.findIndex((name) => name === stage) }));

describe('defineStages', () => {
  it('ranks by order', () => {
    expect(STAGES.names.map((name) => STAGES.rankOf(name))).toEqual([0, 1, 2, 3]);
    expect(STAGES.parse('INGESTED')).toBe('INGESTED');
  });

  it.each([[[]], [['lower']], [['A', 'B', 'A']], [['']], [['A B']]])('refuses %j', (names) => {
    expect(() => defineStages(names)).toThrow(ConfigError);
  });

  it('refuses a name it does not know, naming those it does', () => {
    const message =
      'stage: "PUBLISHED" is not a stage; allowed are PENDING, INGESTED, NORMALIZED, AGGREGATED';
    for (const ask of [
      () => STAGES.parse('PUBLISHED'),
      () => STAGES.rankOf('PUBLISHED'),
      () => isAtLeastStage(STAGES, [], 'PUBLISHED'),
    ]) {
      expect(ask).toThrow(ValidationError);
      expect(ask).toThrow(message);
    }
  });
});

describe('where a partition stands', () => {
  it('is its furthest stage, whatever the order of the rows', () => {
    expect(latestStage(STAGES, reached('NORMALIZED', 'PENDING', 'INGESTED'))?.stage).toBe('NORMALIZED');
    expect(latestStage(STAGES, [])).toBeNull();
  });

  it('is at least every stage up to it and none beyond', () => {
    fc.assert(
      fc.property(fc.subarray([...STAGES.names]), fc.constantFrom(...STAGES.names), (names, asked) => {
        const furthest = Math.max(-1, ...names.map((name) => STAGES.rankOf(name)));
        expect(isAtLeastStage(STAGES, reached(...names), asked)).toBe(STAGES.rankOf(asked) <= furthest);
      }),
    );
  });

  it('is told by the ranks of today: a stage put in between moves what was written before', () => {
    const rows = reached('INGESTED', 'NORMALIZED');
    const more = defineStages(['PENDING', 'INGESTED', 'CHECKED', 'NORMALIZED']);
    expect(isAtLeastStage(more, rows, 'NORMALIZED')).toBe(true);
    const without = defineStages(['PENDING', 'INGESTED', 'AGGREGATED']);
    // A stage the domain has given up counts with the rank it had.
    expect(isAtLeastStage(without, rows, 'AGGREGATED')).toBe(true);
    expect(latestStage(without, rows)?.stage).toBe('NORMALIZED');
  });
});
