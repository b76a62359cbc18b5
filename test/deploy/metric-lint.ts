/**
 * The rules of `promtool check metrics`, over what a registry exposes, for where promtool is not installed. See
 * https://github.com/prometheus/client_golang/tree/main/prometheus/testutil/promlint
 */

export interface ExposedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** Words for units that have a better one. */
const NOT_BASE: Readonly<Record<string, string>> = {
  milliseconds: 'seconds',
  microseconds: 'seconds',
  nanoseconds: 'seconds',
  minutes: 'seconds',
  hours: 'seconds',
  days: 'seconds',
  weeks: 'seconds',
  kilobytes: 'bytes',
  megabytes: 'bytes',
  gigabytes: 'bytes',
  kibibytes: 'bytes',
  mebibytes: 'bytes',
  bits: 'bytes',
  percent: 'ratio',
  percents: 'ratio',
  fahrenheit: 'celsius',
  kelvin: 'celsius',
};

const ABBREVIATIONS: ReadonlySet<string> = new Set('s ms us ns sec b kb mb gb tb pb m h d'.split(' '));
const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);
const RESERVED = /_(bucket|count|sum)$/;

/** What promtool would say of each metric. */
export function lintMetrics(metrics: readonly ExposedMetric[]): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { name, help, type, labels } of metrics) {
    const say = (problem: string): void => void problems.push(`${name} ${problem}`);
    const words = name.split('_');
    const isBucketed = type === 'histogram' || type === 'summary';
    if (seen.has(name)) say('is there twice');
    seen.add(name);
    if (help.trim() === '') say('has no help text');
    if (type === 'counter' && !name.endsWith('_total')) say('is a counter without _total');
    if (type !== 'counter' && name.endsWith('_total')) say('is no counter and ends with _total');
    if (!isBucketed && RESERVED.test(name)) say('ends as a part of a histogram does');
    if (type !== 'histogram' && labels.includes('le')) say('has the label le');
    if (type !== 'summary' && labels.includes('quantile')) say('has the label quantile');
    if (name.includes(':')) say('has a colon');
    if (/[a-z][A-Z]/.test(name)) say('is in camelCase');
    for (const label of labels) if (/[a-z][A-Z]/.test(label)) say(`has the label ${label} in camelCase`);
    for (const word of words) {
      const base = NOT_BASE[word];
      if (base !== undefined) say(`should be in ${base}`);
      if (ABBREVIATIONS.has(word)) say(`has the abbreviated unit ${word}`);
      if (TYPES.has(word)) say(`names its type`);
    }
  }
  return problems;
}
