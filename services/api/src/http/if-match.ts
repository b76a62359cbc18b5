import { invalid } from './problem.ts';

/** The version an If-Match header names; undefined for none. @throws HttpProblem for what is no ETag of ours. */
export function versionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined;
  const match = /^(?:W\/)?"(\d{1,9})"$/.exec(ifMatch);
  if (match === null)
    throw invalid([{ field: 'If-Match', code: 'invalid', message: 'must be an ETag such as "3"' }]);
  return Number(match[1]);
}
