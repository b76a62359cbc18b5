/** What a scrape gets: accepted by promtool, and by its rules where it is not installed. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Metrics } from '@spine/observability';
import { projectFile } from './compose-file.ts';
import { lintMetrics } from './metric-lint.ts';
import type { ExposedMetric } from './metric-lint.ts';
import { labelNamesOf } from './metric-names.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

/** A process with a value in every series that has one from the start, and in some that have labels. */
function measured(): Metrics {
  const metrics = new Metrics('test');
  metrics.httpSeconds.labels('GET', '/api/v1/runs/:run_id', '2xx').observe(0.01);
  metrics.httpRefusals.inc({ reason: 'rate_limited' });
  metrics.dependencyUp.set({ dependency: 'postgres' }, 1);
  metrics.workflows.advances.inc({ outcome: 'advanced' });
  metrics.workflows.setInbox({ due: 3, oldestSeconds: 0.5 });
  metrics.lanes.set([
    { lane: 'a"b\\c\n', waiting: 1, due: 1, running: 0, oldestDueSeconds: 2, paused: false, workers: 1 },
  ]);
  return metrics;
}

const gauge = (name: string, more: Partial<ExposedMetric> = {}): ExposedMetric => ({
  name,
  help: 'Something.',
  type: 'gauge',
  labels: [],
  ...more,
});

describe('the rules', () => {
  it.each<[ExposedMetric, string]>([
    [gauge('spine_x', { help: '' }), 'has no help text'],
    [gauge('spine_x', { type: 'counter' }), 'is a counter without _total'],
    [gauge('nodejs_active_handles_total'), 'is no counter and ends with _total'],
    [gauge('spine_x_count'), 'ends as a part of a histogram does'],
    [gauge('spine_x', { labels: ['le'] }), 'has the label le'],
    [gauge('spine:x'), 'has a colon'],
    [gauge('spine_someThing'), 'is in camelCase'],
    [gauge('spine_wait_milliseconds'), 'should be in seconds'],
    [gauge('spine_wait_ms'), 'has the abbreviated unit ms'],
    [gauge('spine_wait_gauge'), 'names its type'],
  ])('find out %j', (metric, problem) => {
    expect(lintMetrics([metric])).toEqual([`${metric.name} ${problem}`]);
  });
});

describe('the metrics of a process', () => {
  it('keep to the rules of Prometheus', () => {
    const exposed = new Metrics('test').registry.getMetricsAsArray().map((metric): ExposedMetric => ({
      name: metric.name,
      help: metric.help,
      type: String(metric.type),
      labels: labelNamesOf(metric),
    }));
    expect(exposed.length).toBeGreaterThan(40);
    expect(lintMetrics(exposed)).toEqual([]);
  });

  it('are text that escapes what labels say', async () => {
    const text = await measured().registry.metrics();
    expect(text).toContain('lane="a\\"b\\\\c\\n"');
  });

  it.runIf(hasPromtool)('are accepted by promtool', async () => {
    const input = await measured().registry.metrics();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input,
      encoding: 'utf8',
    });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });
});

describe.runIf(hasPromtool)('promtool', () => {
  it('accepts the alert rules', () => {
    const rules = projectFile('deploy/prometheus/alerts.yml');
    const { status, stderr } = spawnSync('promtool', ['check', 'rules', rules], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });
});
