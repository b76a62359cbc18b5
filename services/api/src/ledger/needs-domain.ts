import type { z } from 'zod';

/**
 * Refuses query parameters that are looked up within a domain where none is named: without it the whole table would be
 * read to find a few rows.
 */
export function needsDomain<K extends string>(...fields: readonly K[]) {
  return (
    query: { readonly domain?: string | undefined } & { readonly [F in K]?: unknown },
    ctx: z.RefinementCtx,
  ): void => {
    if (query.domain !== undefined) return;
    for (const field of fields) {
      if (query[field] === undefined) continue;
      ctx.addIssue({ code: 'custom', path: [field], message: 'needs domain: it is looked up within one' });
    }
  };
}
