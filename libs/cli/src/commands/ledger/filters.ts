/** Filters that several lists of the ledger take. */
import { present } from '@spine/core';
import { option, repeatable } from '../../frame/command.ts';
import { jsonText } from '../../frame/printable.ts';
import { partitionKeyOf } from '../../frame/input.ts';
import type { Options } from '../../frame/options.ts';

export const DOMAIN = option('--domain <domain>', 'of this domain, such as finra.otc_transparency');
export const STAGE = option('--stage <stage>', 'of this stage; mostly needs --domain');
export const SOURCE = option('--source <source>', 'of this source');
export const RUN = option('--run <run-id>', 'of this run');
export const PARTITION = repeatable(
  '--partition <name=value>',
  'of this partition; a key of many parts takes many; needs --domain',
);
export const TIMES = [
  option('--since <when>', 'since: an instant, a day, or a span ago such as 2h'),
  option('--until <when>', 'before'),
];

/** A filter takes the whole key, as JSON. @throws UsageError */
export function partitionFilter(options: Options): { partition_key?: string } {
  const key = partitionKeyOf(options.texts('partition'));
  return key === undefined ? {} : { partition_key: jsonText(key) };
}

/** @throws UsageError */
export function timesOf(options: Options) {
  const now = Date.now();
  return present({ since: options.instant('since', now), until: options.instant('until', now) });
}
