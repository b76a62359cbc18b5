import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findExampleFile } from './example-file.ts';

it('finds the first usable week, in the order of the roots', () => {
  const base = mkdtempSync(join(tmpdir(), 'spine-example-'));
  try {
    const [own, sample] = [join(base, 'own'), join(base, 'sample')];
    mkdirSync(sample);
    const roots = [own, sample];
    expect(findExampleFile(roots)).toBeUndefined();
    writeFileSync(join(sample, 'finra_otc_weekly_otc_broken_20251201.csv'), '');
    writeFileSync(join(sample, 'notes.csv'), '');
    expect(findExampleFile(roots)).toBeUndefined();
    writeFileSync(join(sample, 'finra_otc_weekly_otc_20251222.csv'), '');
    writeFileSync(join(sample, 'finra_otc_weekly_otc_20251215.csv'), '');
    expect(findExampleFile(roots)).toBe(join(sample, 'finra_otc_weekly_otc_20251215.csv'));
    mkdirSync(own);
    writeFileSync(join(own, 'finra_otc_weekly_otc_20251229.csv'), '');
    expect(findExampleFile(roots)).toBe(join(own, 'finra_otc_weekly_otc_20251229.csv'));
  } finally {
    rmSync(base, { recursive: true });
  }
});
