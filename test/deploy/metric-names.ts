/** What a PromQL expression refers to, as far as it can be read off its words. */
import { Metrics } from '@spine/observability';

export interface KnownMetric {
  readonly type: string;
  readonly labels: ReadonlySet<string>;
}

/** Labels that Prometheus adds, and `le` of histograms. */
const ADDED = ['instance', 'job', 'le', 'service'];

/** Labels of a registered metric, which prom-client keeps and does not type. */
export function labelNamesOf(metric: object): string[] {
  const names: unknown = 'labelNames' in metric ? metric.labelNames : [];
  return Array.isArray(names) ? names.map((name: unknown) => String(name)) : [];
}

/** Every series that a Spine process can have, by name: those of a histogram under their three names. */
export function knownSeries(): ReadonlyMap<string, KnownMetric> {
  const series = new Map<string, KnownMetric>([['up', { type: 'gauge', labels: new Set(ADDED) }]]);
  for (const metric of new Metrics('test').registry.getMetricsAsArray()) {
    const known = { type: String(metric.type), labels: new Set([...labelNamesOf(metric), ...ADDED]) };
    const suffixes = known.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const suffix of suffixes) series.set(`${metric.name}${suffix}`, known);
  }
  return series;
}

const SERIES = /\b(?:spine|process|nodejs)_\w+\b|\bup\b/g;
const SELECTOR = /\b((?:spine|process|nodejs)_\w+|up)\{([^}]*)\}/g;
const GROUPING = /\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g;

function words(list: string): string[] {
  return list
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** What is wrong with an expression: names and labels that do not exist, a rate of a gauge, an unclosed bracket. */
export function problemsOf(expr: string, series = knownSeries()): string[] {
  const problems: string[] = [];
  const used = [...expr.matchAll(SERIES)].map(([name]) => name);
  if (used.length === 0) problems.push('names no metric');
  for (const name of used) if (!series.has(name)) problems.push(`no metric ${name}`);
  const labels = new Set(used.flatMap((name) => [...(series.get(name)?.labels ?? [])]));
  for (const [, name = '', matchers = ''] of expr.matchAll(SELECTOR)) {
    for (const matcher of words(matchers)) {
      const label = /^(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"$/.exec(matcher)?.[1];
      if (label === undefined) problems.push(`not a matcher: ${matcher}`);
      else if (series.get(name)?.labels.has(label) === false) problems.push(`${name} has no label ${label}`);
    }
  }
  for (const [, list = ''] of expr.matchAll(GROUPING)) {
    for (const label of words(list)) if (!labels.has(label)) problems.push(`no label ${label}`);
  }
  for (const [, name = ''] of expr.matchAll(/\b(?:rate|increase)\((\w+)/g)) {
    if (series.get(name)?.type === 'gauge') problems.push(`${name} is a gauge`);
  }
  for (const [open, close] of ['()', '{}', '[]'].map((pair) => [...pair])) {
    if (expr.split(open ?? '').length !== expr.split(close ?? '').length)
      problems.push(`unbalanced ${open}${close}`);
  }
  return problems;
}
