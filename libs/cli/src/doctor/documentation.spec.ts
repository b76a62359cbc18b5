import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FINDING_IDS } from './finding.ts';
import { REMEDIES } from './fix/remedy.ts';

it('every finding and every remedy is explained in docs/doctor.md, and nothing else is', () => {
  const page = readFileSync(new URL('../../../../docs/doctor.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z_]+)` +\|/gm)].map(([, id]) => id);
  expect(rows).toEqual([...FINDING_IDS, ...REMEDIES]);
});
