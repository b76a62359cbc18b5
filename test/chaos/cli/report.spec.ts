import { describe, expect, it } from 'vitest';
import { notCarriedOut } from '../fault-report.ts';
import type { FaultReport } from '../fault-report.ts';
import { effects, faultsFound, findings, reportJson, table } from './report.ts';

const GOOD: FaultReport = {
  ...notCarriedOut('redis-flush', null),
  repeats: 2,
  runs: 403,
  completed: 400,
  healSeconds: 1.25,
  seconds: 21.4,
  effects: { 'keys flushed': 174 },
  problems: [],
};
const BAD: FaultReport = {
  ...GOOD,
  fault: 'zombie',
  problems: ['worker-1 runs and is not heard of'],
  violations: [{ invariant: 'no-stale-write', count: 7, rows: [{ run_id: 'x', epoch: 1 }] }],
};

describe('the report', () => {
  it('is a Markdown table with a line a fault', () => {
    const lines = table([GOOD, BAD]).split('\n');
    expect(lines).toHaveLength(4);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    expect(lines[0]).toMatch(/^\| fault +\| repeats \| runs .* \| violations \|$/);
    expect(lines[2]).toMatch(/^\| redis-flush \| +2 \| +403 \| .* \| +1\.3 \| +21 \| +0 \|$/);
    expect(lines[3]).toMatch(/\| +2 \|$/);
  });

  it('says what a fault did', () => {
    expect(effects(GOOD)).toBe('redis-flush: FLUSHALL every two seconds (keys flushed 174)');
  });

  it('shows the rows that break an invariant, and nothing when none does', () => {
    expect(findings([GOOD])).toBe('');
    expect(faultsFound(GOOD)).toBe(0);
    expect(findings([GOOD, BAD])).toBe(
      [
        'zombie: worker-1 runs and is not heard of',
        'zombie: no-stale-write is broken 7 times; the first:',
        '  {"run_id":"x","epoch":1}',
      ].join('\n'),
    );
  });

  it('counts a fault that could not be carried out as a finding', () => {
    const report = notCarriedOut('zombie', new Error('no server'));
    expect(faultsFound(report)).toBe(1);
    expect(findings([report])).toContain('not carried out: Error: no server');
  });

  it('is JSON with the seed', () => {
    expect(JSON.parse(reportJson(7, [GOOD]))).toMatchObject({
      seed: 7,
      faults: [{ fault: 'redis-flush', heal_seconds: 1.25, violations: [] }],
    });
  });
});
