/** What is shipped for Prometheus and Grafana, and the documentation, against what the processes really register. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadSettings } from '@spine/config';
import { Metrics } from '@spine/observability';
import { environmentOf, projectFile, readCompose, serviceOf } from './compose-file.ts';
import { labelNamesOf, problemsOf } from './metric-names.ts';

const read = (path: string): string => readFileSync(projectFile(path), 'utf8');

const alertsFile = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string().regex(/^Spine[A-Z]\w+$/),
          expr: z.string(),
          for: z
            .string()
            .regex(/^\d+[smhd]$/)
            .optional(),
          labels: z.strictObject({ severity: z.enum(['page', 'ticket']) }),
          annotations: z.strictObject({ summary: z.string().min(20) }),
        }),
      ),
    }),
  ),
});

const scrapeFile = z.object({
  rule_files: z.array(z.string()),
  scrape_configs: z.array(
    z.object({
      job_name: z.string(),
      authorization: z.object({ type: z.literal('Bearer'), credentials_file: z.string() }).optional(),
      dns_sd_configs: z.array(z.object({ names: z.array(z.string()), type: z.literal('A'), port: z.int() })),
    }),
  ),
});

const dashboardFile = z.object({
  title: z.literal('Spine'),
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
  panels: z.array(
    z.object({
      id: z.int(),
      title: z.string().min(1),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      datasource: z.object({ type: z.literal('prometheus'), uid: z.literal('${datasource}') }),
      targets: z.array(z.object({ refId: z.string(), expr: z.string(), legendFormat: z.string() })).min(1),
    }),
  ),
});

const observabilityFile = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string().optional(),
      ports: z.array(z.string()).optional(),
      volumes: z.array(z.string()).optional(),
      environment: z.record(z.string(), z.string()).optional(),
      configs: z.array(z.object({ source: z.string(), target: z.string() })).optional(),
    }),
  ),
  configs: z.record(z.string(), z.object({ content: z.string() })),
});

describe('an expression', () => {
  it.each([
    ['rate(spine_no_such_total[5m])', 'no metric spine_no_such_total'],
    ['spine_attempt_seconds', 'no metric spine_attempt_seconds'],
    ['spine_lane_runs{queue="a"}', 'spine_lane_runs has no label queue'],
    ['sum by (handler) (spine_lane_runs)', 'no label handler'],
    ['rate(spine_lane_runs[5m])', 'spine_lane_runs is a gauge'],
    ['sum(spine_lane_runs', 'unbalanced ()'],
    ['1 > 0', 'names no metric'],
  ])('%s is found out', (expr, problem) => {
    expect(problemsOf(expr)).toContain(problem);
  });

  it('that is right has no problem', () => {
    expect(
      problemsOf('histogram_quantile(0.99, sum by (instance, le) (rate(spine_claim_seconds_bucket[5m])))'),
    ).toEqual([]);
  });
});

describe('deploy/prometheus/alerts.yml', () => {
  const { groups } = alertsFile.parse(parse(read('deploy/prometheus/alerts.yml')));
  const rules = groups.flatMap((group) => group.rules);

  it('names each alert once', () => {
    const names = rules.map(({ alert }) => alert);
    expect(names.length).toBeGreaterThan(0);
    expect([...new Set(names)]).toEqual(names);
  });

  it.each(rules.map((rule) => [rule.alert, rule] as const))('%s uses what exists', (_, rule) => {
    expect(problemsOf(rule.expr)).toEqual([]);
    const uses = [...rule.annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label ?? '');
    // What an aggregation keeps is what an annotation can show.
    const kept = /\bby \(([^)]*)\)/.exec(rule.expr)?.[1];
    const aggregated = /\b(?:sum|max|min|avg|absent)\b/.test(rule.expr);
    const allowed = kept?.split(',').map((label) => label.trim()) ?? (aggregated ? [] : ['instance', 'job']);
    expect(uses.filter((label) => !allowed.includes(label))).toEqual([]);
  });
});

describe('deploy/prometheus/prometheus.yml', () => {
  const { rule_files: ruleFiles, scrape_configs: jobs } = scrapeFile.parse(
    parse(read('deploy/prometheus/prometheus.yml')),
  );

  it('loads the alerts', () => {
    expect(ruleFiles).toEqual(['alerts.yml']);
  });

  it('asks each process of docker-compose.yml where it answers', () => {
    const compose = readCompose();
    const asked = jobs.map((job) => [
      job.job_name,
      job.dns_sd_configs[0]?.port,
      job.authorization !== undefined,
    ]);
    const expected = (['api', 'worker', 'scheduler'] as const).map((role) => {
      const settings = loadSettings(environmentOf(serviceOf(compose, role)), { role });
      const port = role === 'api' ? settings.api.port : settings.healthPort;
      return [`spine-${role}`, port, role === 'api' && !settings.api.open];
    });
    expect(asked).toEqual(expected);
    expect(jobs.map((job) => job.dns_sd_configs[0]?.names[0])).toEqual(['api', 'worker', 'scheduler']);
  });
});

describe('deploy/grafana/dashboards/spine.json', () => {
  const { panels, templating } = dashboardFile.parse(
    JSON.parse(read('deploy/grafana/dashboards/spine.json')),
  );

  it.each(panels.map((panel) => [panel.title, panel] as const))('%s uses what exists', (_, panel) => {
    for (const { expr, legendFormat } of panel.targets) {
      expect([expr, problemsOf(expr)]).toEqual([expr, []]);
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(expr).toContain(label);
    }
  });

  it('has a place for each panel, and the data source they name', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ gridPos: { x, y } }) => `${x},${y}`)).size).toBe(panels.length);
    expect(templating.list.map(({ name }) => name)).toEqual(['datasource']);
  });
});

describe('deploy/compose.observability.yml', () => {
  const text = read('deploy/compose.observability.yml');
  const { services, configs } = observabilityFile.parse(parse(text, { merge: true }));
  const tools = ['prometheus', 'grafana', 'jaeger'];

  it('adds tools of a named version, on the loopback address alone', () => {
    expect(Object.keys(services).sort()).toEqual(['api', 'scheduler', 'worker', ...tools].sort());
    for (const name of tools) {
      const tool = services[name];
      expect(tool?.image, name).toMatch(/^[a-z]+\/[a-z-]+:v?\d+\.\d+\.\d+$/);
      expect(tool?.ports?.length, name).toBe(1);
      for (const port of tool?.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    }
  });

  it('mounts files that there are, where those that read them look', () => {
    const mounted = tools.flatMap((name) => services[name]?.volumes ?? []);
    expect(mounted.length).toBe(3);
    for (const volume of mounted) expect(existsSync(projectFile(volume.split(':')[0] ?? ''))).toBe(true);
    const provider = read('deploy/grafana/provisioning/dashboards/spine.yml');
    const folder = /path: (\S+) /.exec(provider)?.[1] ?? 'none';
    expect(mounted.some((volume) => volume.endsWith(`:${folder}:ro`))).toBe(true);
    expect(read('deploy/grafana/provisioning/datasources/spine.yml')).toContain('http://prometheus:9090');
  });

  it('gives Prometheus the key where it looks for it', () => {
    const wanted = scrapeFile.parse(parse(read('deploy/prometheus/prometheus.yml'))).scrape_configs;
    const file = wanted.find((job) => job.authorization !== undefined)?.authorization?.credentials_file;
    expect(services['prometheus']?.configs).toEqual([{ source: 'spine-api-key', target: file }]);
    expect(configs['spine-api-key']?.content).toContain('spine-compose-local-key');
  });

  it('has every process send its traces to the collector', () => {
    for (const role of ['api', 'worker', 'scheduler'] as const) {
      const environment = {
        ...environmentOf(serviceOf(readCompose(), role)),
        ...services[role]?.environment,
      };
      expect(loadSettings(environment, { role }).tracing?.endpoint).toBe('http://jaeger:4318');
    }
  });
});

describe('docs/observability.md', () => {
  it('explains every metric of Spine, with its labels and its type, once', () => {
    const documented = [
      ...read('docs/observability.md').matchAll(/^\| `(spine_\w+?)(?:\{([\w,]+)\})?` +\| (\w+) +\|/gm),
    ].map(([, name, labels = '', type]) => ({
      name,
      labels: labels.split(',').filter(Boolean).sort(),
      type,
    }));
    const registered = new Metrics('test').registry
      .getMetricsAsArray()
      .filter(({ name }) => name.startsWith('spine_'))
      .map((metric) => ({
        name: metric.name,
        labels: labelNamesOf(metric).sort(),
        type: String(metric.type),
      }));
    const byName = (a: { name: string | undefined }, b: { name: string | undefined }): number =>
      (a.name ?? '') < (b.name ?? '') ? -1 : 1;
    expect(documented.sort(byName)).toEqual(registered.sort(byName));
  });

  it('names only metrics of Node that there are', () => {
    const names = [...read('docs/observability.md').matchAll(/`((?:process|nodejs)_\w+)`/g)].map(
      ([, name]) => name ?? '',
    );
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(problemsOf(name)).toEqual([]);
  });
});
