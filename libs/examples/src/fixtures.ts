/** The small files that examples read. They lie beside `src` and `dist`, so that both find them. */
import { readFile } from 'node:fs/promises';

export const FIXTURES = {
  companies: 'companies.csv',
  estimates: 'estimates.json',
  closes: 'closes.json',
  filings: 'form-index.txt',
  tenK: '10-k.json',
  splits: 'splits.json',
  amendments: 'amendments.json',
  payments: 'payments.json',
} as const;
export type Fixture = keyof typeof FIXTURES;

export function readFixture(name: Fixture): Promise<string> {
  return readFile(new URL(`../fixtures/${FIXTURES[name]}`, import.meta.url), 'utf8');
}

export async function readJsonFixture(name: Fixture): Promise<unknown> {
  return JSON.parse(await readFixture(name)) as unknown;
}
