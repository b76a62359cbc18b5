import { describe, expect, it } from 'vitest';
import type { HintReport } from '../queue/port.ts';
import { HintTally } from './hint-tally.ts';

const FAILED = { outcome: 'failed', error: 'no such file', fault: null } as const;
const COMPLETED = { outcome: 'completed', error: null, fault: null } as const;

/** The tally of a hint of so many runs, and what it has reported. */
function tallyOf(runs: number) {
  const reports: HintReport[] = [];
  const tally = new HintTally({
    runIds: Array.from({ length: runs }, (_, index) => `run ${index}`),
    priority: 2,
    gated: false,
    early: false,
    finish: (report) => {
      reports.push(report);
      return Promise.resolve();
    },
  });
  return { tally, reports };
}

describe('the tally of a hint', () => {
  it('is reported once, when the last run has ended', () => {
    const { tally, reports } = tallyOf(6);
    tally.ended(COMPLETED);
    tally.ended('gone');
    tally.ended(FAILED);
    tally.givenBack(2);
    expect(reports).toEqual([]);
    tally.ended(COMPLETED);
    expect(reports).toEqual([
      { outcomes: { completed: 2, gone: 1, failed: 1, given_back: 2 }, failure: null },
    ]);
  });

  it('shows the error of its only run', () => {
    const { tally, reports } = tallyOf(1);
    tally.givenBack(0);
    tally.ended(FAILED);
    expect(reports).toEqual([{ outcomes: { failed: 1 }, failure: 'no such file' }]);
  });

  it('is reported at once for a hint that names no run', () => {
    expect(tallyOf(0).reports).toEqual([{ outcomes: {}, failure: null }]);
  });
});
