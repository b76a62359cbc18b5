import { WeekEnding } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { decideWeek } from '../week.ts';
import { weekFileNames } from './week-files.ts';

describe('the names of a week', () => {
  const week = WeekEnding.parse('2025-12-26');
  const names = weekFileNames('NMS_TIER_1', week);

  it('are those of the seven days after it, over the end of a year', () => {
    expect(names[0]).toBe('finra_otc_weekly_nms_tier_1_20251227.csv');
    expect(names.at(-1)).toBe('finra_otc_weekly_nms_tier_1_20260102.csv');
    expect(new Set(names).size).toBe(7);
  });

  it.each(names)('%s is read as a file of that week', (fileName) => {
    const decided = decideWeek({ requested: null, fileName, lastUpdateDate: null, force: false });
    expect(decided.weekEnding.date).toBe(week.date);
  });
});
