import { describe, expect, it } from 'vitest';
import { BACKFILL_OPERATIONS, BACKFILL_STAGES } from './operations/backfill-plan.ts';
import { STAGES } from './stages.ts';
import { Stage } from './vocabulary.ts';

describe('the stages', () => {
  it('rank as they were written before they had a list', () => {
    expect(STAGES.rankOf(Stage.INGESTED.name)).toBe(Stage.INGESTED.rank);
  });

  it('come after those they need', () => {
    for (const operation of BACKFILL_OPERATIONS) {
      const { stage, needs } = BACKFILL_STAGES[operation];
      const before = needs === null ? 'INGESTED' : BACKFILL_STAGES[needs].stage;
      expect(STAGES.rankOf(stage)).toBeGreaterThan(STAGES.rankOf(before));
    }
  });
});
