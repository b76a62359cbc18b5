import { HandlerRegistry } from '@spine/execution';
import { describe, expect, it } from 'vitest';
import { INGEST_WEEK, registerFinraOtc } from './index.ts';

const registry = registerFinraOtc(new HandlerRegistry(), { dataRoots: ['fixtures'] });
const parse = (params: unknown) => registry.get('operation', INGEST_WEEK)?.parse(params);

describe('every operation', () => {
  it('says what a second run does to its rows, unless it writes none', () => {
    const levels = registry
      .describeAll()
      .map(({ name, idempotency }) => [name.replace('finra.otc_transparency.', ''), idempotency]);
    expect(Object.fromEntries(levels)).toEqual({
      ingest_week: 'L2_INPUT',
      normalize_week: 'L3_STATE',
      aggregate_week: 'L3_STATE',
      compute_venue_share: 'L3_STATE',
      compute_venue_concentration: 'L3_STATE',
      compute_volume_per_day: 'L3_STATE',
      compute_liquidity_score: 'L3_STATE',
      compute_rolling: 'L3_STATE',
      compute_tier_volume_share: 'L3_STATE',
      check_week: 'L3_STATE',
      backfill_range: null,
    });
  });
});

describe('the params of ingest_week', () => {
  it('are documented', () => {
    registry.check();
    expect(registry.describe('operation', INGEST_WEEK)?.paramsSchema).toMatchObject({
      required: ['file_path'],
      additionalProperties: false,
      properties: {
        file_path: { type: 'string' },
        week_ending: { type: 'string' },
        tier: { enum: ['OTC', 'NMS_TIER_1', 'NMS_TIER_2'] },
        force: { type: 'boolean', default: false },
      },
    });
  });

  it('need a file path alone', () => {
    expect(parse({ file_path: 'a.csv' })).toEqual({ ok: true, params: { file_path: 'a.csv', force: false } });
  });

  it('may say all', () => {
    const params = { file_path: 'a.csv', week_ending: '2025-12-12', tier: 'NMS_TIER_1', force: true };
    expect(parse(params)).toMatchObject({
      ok: true,
      params: { ...params, week_ending: { date: '2025-12-12' } },
    });
  });

  it.each([
    [{}, 'params.file_path', 'string'],
    [{ file_path: 7 }, 'params.file_path', 'string'],
    [{ file_path: '' }, 'params.file_path', 'is empty'],
    [{ file_path: '../a.csv' }, 'params.file_path', "'..'"],
    [{ file_path: 'a\0.csv' }, 'params.file_path', 'NUL'],
    [{ file_path: 'x'.repeat(4_097) }, 'params.file_path', '4096'],
    [
      { file_path: 'a.csv', week_ending: '2025-12-11' },
      'params.week_ending',
      'nearest Fridays are 2025-12-05 and 2025-12-12',
    ],
    [{ file_path: 'a.csv', week_ending: '12/12/2025' }, 'params.week_ending', 'not a date'],
    [{ file_path: 'a.csv', tier: 'NMS Tier 1' }, 'params.tier', 'NMS_TIER_1'],
    [{ file_path: 'a.csv', force: 'yes' }, 'params.force', 'boolean'],
    [{ file_path: 'a.csv', week: '2025-12-12' }, 'params.week', 'not a parameter'],
  ])('are refused: %j', (params, field, message) => {
    const parsed = parse(params);
    expect(parsed).toMatchObject({ ok: false, issues: [{ field }] });
    expect(JSON.stringify(parsed)).toContain(message);
    // The message does not name the field once more.
    expect(JSON.stringify(parsed)).not.toContain('week_ending:');
  });
});
