/** Arguments that many tools take. */
import { z } from 'zod';

/** @param what it names, e.g. `run` */
export function id(what: string) {
  return (
    z
      .string()
      .min(1)
      .max(200)
      // In a path they would be another endpoint.
      .refine((text) => text !== '.' && text !== '..', 'not an id or a name')
      .describe(what)
  );
}

export const RUN_ID = id('The run’s id.');
export const RUN = { run_id: RUN_ID };

const limit = z.int().min(1).max(100).default(20).describe('Items of one page. Default 20.');

/** Of a list that grows: its pages follow each other by cursor. */
export const CURSOR_PAGE = {
  limit,
  cursor: z.string().max(1_000).exactOptional().describe('`page.next.cursor` of the page before.'),
};

export const OFFSET_PAGE = {
  limit,
  offset: z.int().min(0).exactOptional().describe('`page.next.offset` of the page before.'),
};

export function instant(what: string) {
  return z.string().max(40).exactOptional().describe(`${what} (RFC 3339, e.g. 2026-01-06T00:00:00Z).`);
}

export const SINCE = instant('At or after this instant');
export const UNTIL = instant('Before this instant');

export const DOMAIN = z.string().max(200).exactOptional().describe('Of this data domain, e.g. finra.otc.');

/** A partition's key; the API takes it as JSON. */
export const PARTITION_KEY = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
  .exactOptional()
  .describe('The whole key of a partition, e.g. {"week_ending": "2026-01-02"}. Needs `domain`.');

export function partitionText(key: Readonly<Record<string, unknown>> | undefined): {
  partition_key?: string;
} {
  return key === undefined ? {} : { partition_key: JSON.stringify(key) };
}

export const PARAMS = z
  .record(z.string(), z.unknown())
  .exactOptional()
  .describe('Params of the handler; function_get has their schema.');
