/** A daily index of filings, in the shape of EDGAR's, as I3, I4 and I5 read it. */
import { z } from 'zod';
import { ParseError } from '@spine/core';
import { readFixture } from './fixtures.ts';

export const filing = z.strictObject({
  form: z.string(),
  company: z.string(),
  cik: z.string(),
  date_filed: z.iso.date(),
  /** As the index has it: it may be wrong. */
  accession: z.string(),
});
export type Filing = z.infer<typeof filing>;

export const filings = z.array(filing).max(1_000);

/** The filer's number, the year and a number of six digits. */
export const ACCESSION = /^\d{10}-\d{2}-\d{6}$/;

const HEADER = 'form|company|cik|date_filed|accession';

/** @throws ParseError naming the line that is no filing. */
export function parseFilingIndex(text: string): Filing[] {
  const [header = '', ...lines] = text.trimEnd().split('\n');
  if (header !== HEADER) throw new ParseError(`line 1: ${header.slice(0, 80)} is not ${HEADER}`);
  return lines.map((line, index) => {
    const [form, company, cik, date_filed, accession, ...more] = line.split('|');
    const read = filing.safeParse({ form, company, cik, date_filed, accession });
    if (read.success && more.length === 0) return read.data;
    throw new ParseError(`line ${index + 2}: ${line.slice(0, 80)} is no filing`);
  });
}

export async function readFilings(): Promise<Filing[]> {
  return parseFilingIndex(await readFixture('filings'));
}

/** How many there are of each form, forms in order. */
export function countByForm(list: readonly Pick<Filing, 'form'>[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { form } of list) counts.set(form, (counts.get(form) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
