/** Reading a file of companies: which of its lines are good, and what is asked of them. Pure. */
import { noNulls, QualityRunner, qualityFail, qualityPass, rowCountAtLeast, unique } from '@spine/core';
import { z } from 'zod';

export const HEADER = 'cik,name,ticker,sic,state';

export const company = z.strictObject({
  cik: z.string(),
  name: z.string(),
  ticker: z.string(),
  sic: z.string(),
  state: z.string(),
});
export type Company = z.infer<typeof company>;

export const refusedLine = z.strictObject({
  line: z.int(),
  raw: z.string(),
  reason_code: z.enum(['WRONG_HEADER', 'WRONG_FIELD_COUNT', 'INVALID_CIK', 'MISSING_NAME']),
  reason_detail: z.string(),
});
export type RefusedLine = z.infer<typeof refusedLine>;

export const companies = z.strictObject({ records: z.array(company), refused: z.array(refusedLine) });
export type Companies = z.infer<typeof companies>;

/** Every line becomes a company or is refused with the reason; none is dropped. A comma always separates: nothing is quoted. */
export function readCompanies(csv: string): Companies {
  const lines = csv.split(/\r?\n/).map((raw, index) => ({ raw, line: index + 1 }));
  const records: Company[] = [];
  const refused: RefusedLine[] = [];
  for (const { raw, line } of lines) {
    if (raw.trim() === '' || (line === 1 && raw === HEADER)) continue;
    const read = line === 1 ? wrongHeader(raw) : readLine(raw);
    if ('cik' in read) records.push(read);
    else refused.push({ line, raw: raw.slice(0, 2_000), ...read });
  }
  return { records, refused };
}

type Refusal = Pick<RefusedLine, 'reason_code' | 'reason_detail'>;

function wrongHeader(raw: string): Refusal {
  return { reason_code: 'WRONG_HEADER', reason_detail: `${raw.slice(0, 80)} is not ${HEADER}` };
}

function readLine(raw: string): Company | Refusal {
  const fields = raw.split(',').map((field) => field.trim());
  const [cik = '', name = '', ticker = '', sic = '', state = ''] = fields;
  if (fields.length !== 5) {
    return { reason_code: 'WRONG_FIELD_COUNT', reason_detail: `${fields.length} fields; 5 are expected` };
  }
  if (!/^\d{1,10}$/.test(cik)) {
    return { reason_code: 'INVALID_CIK', reason_detail: `${JSON.stringify(cik)} is not 1 to 10 digits` };
  }
  if (name === '') return { reason_code: 'MISSING_NAME', reason_detail: 'the name is empty' };
  return { cik: cik.padStart(10, '0'), name, ticker, sic, state };
}

/** What has to be true before anything is stored. A runner keeps what it finds: one for each file. */
export function companyChecks(maxRejectPercent: number): QualityRunner<Companies> {
  return new QualityRunner<Companies>()
    .add(rowCountAtLeast({ name: 'companies_there', minimum: 1, count: ({ records }) => records.length }))
    .add(unique({ name: 'cik_unique', keys: ({ records }) => records.map(({ cik }) => cik) }))
    .add(
      noNulls({
        name: 'sic_there',
        values: ({ records }) => records.map(({ sic }) => (sic === '' ? null : sic)),
      }),
    )
    .add({
      name: 'reject_rate',
      category: 'COMPLETENESS',
      check: ({ records, refused }) => {
        const lines = records.length + refused.length;
        const message = `${refused.length} of ${lines} lines are refused; up to ${maxRejectPercent} % may be`;
        return refused.length * 100 > lines * maxRejectPercent ? qualityFail(message) : qualityPass(message);
      },
    });
}
