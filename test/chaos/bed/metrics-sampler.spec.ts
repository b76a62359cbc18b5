import { describe, expect, it } from 'vitest';
import { Metrics } from '@spine/observability';
import { sumOf } from './metrics-sampler.ts';

describe('a counter in the text of a process', () => {
  it('is summed over its labels', async () => {
    const metrics = new Metrics('test');
    metrics.fenced.inc({ operation: 'settle' }, 3);
    metrics.fenced.inc({ operation: 'event' }, 2);
    metrics.claimed.inc(7);
    const text = await metrics.registry.metrics();
    expect(sumOf(text, 'spine_fenced_writes_total')).toBe(5);
    expect(sumOf(text, 'spine_runs_claimed_total')).toBe(7);
    expect(sumOf(text, 'spine_fenced')).toBe(0);
    expect(sumOf(text, 'process_start_time_seconds')).toBeGreaterThan(0);
  });
});
