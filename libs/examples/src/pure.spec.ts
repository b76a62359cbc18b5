/** The pure parts of examples that write to a database. */
import { describe, expect, it } from 'vitest';
import { ParseError, ValidationError } from '@spine/core';
import { parseWorkflowYaml, stringifyWorkflowYaml } from '@spine/orchestration';
import { believedOn, beliefsOf, reported, restatement } from './a3-filings.ts';
import { companyChecks, readCompanies } from './b2-companies.ts';
import { dailyReport } from './b4-daily-report.ts';
import { countByForm, parseFilingIndex } from './filing-index.ts';
import { readFixture, readJsonFixture } from './fixtures.ts';
import { findTenK, normalizeTenK, requireFacts } from './i1-ten-k.ts';
import { yamlWorkflow } from './i4-yaml-workflow.ts';
import { diagnose, letterIdOf, severityOf } from './m1-payments.ts';
import { MissingCloseError } from './missing-close.ts';
import { Closes, PORTFOLIO } from './portfolio.ts';

describe('B2', () => {
  it('keeps every line or refuses it with a reason', () => {
    const csv =
      'cik,name,ticker,sic,state\n1,One,A,10,NY\nx,Two,B,10,NY\n3,,C,10,NY\n\n4,"Four, Inc",D,10,NY\n';
    const { records, refused } = readCompanies(csv);
    expect(records).toEqual([{ cik: '0000000001', name: 'One', ticker: 'A', sic: '10', state: 'NY' }]);
    expect(refused.map(({ line, reason_code }) => [line, reason_code])).toEqual([
      [3, 'INVALID_CIK'],
      [4, 'MISSING_NAME'],
      [6, 'WRONG_FIELD_COUNT'],
    ]);
    expect(readCompanies('name,cik\n1,One,A,10,NY').refused).toMatchObject([{ reason_code: 'WRONG_HEADER' }]);
  });

  it('shuts its gate by the rate of refused lines', async () => {
    const read = readCompanies(await readFixture('companies'));
    const failed = async (percent: number) => {
      const checks = companyChecks(percent);
      await checks.runAll(read);
      return checks.failures().map(({ checkName }) => checkName);
    };
    // 1 of 12 lines, 8.3 %.
    expect(await failed(9)).toEqual([]);
    expect(await failed(8)).toEqual(['reject_rate']);
  });
});

describe('B4', () => {
  it('is the change of the closes times the shares', async () => {
    const closes = await Closes.read();
    const report = dailyReport('2024-12-31', PORTFOLIO, closes);
    expect(report.compared_with).toBe('2024-12-30');
    // 1,000 x -1.78, 500 x -3.33, 200 x -1.91, 300 x -1.94
    expect(report.lines.map(({ pnl }) => pnl)).toEqual(['-1780', '-1665', '-382', '-582']);
    expect(report.total_pnl).toBe('-4409');
    expect(() => dailyReport('2025-01-01', PORTFOLIO, closes)).toThrow(MissingCloseError);
    expect(() => dailyReport('2024-12-27', PORTFOLIO, closes)).toThrow('before 2024-12-27');
  });
});

describe('the index of filings', () => {
  it('is read line by line, or not at all', async () => {
    const list = parseFilingIndex(await readFixture('filings'));
    expect(countByForm(list)).toEqual({ '10-K': 3, '10-Q': 2, '4': 4, '8-K': 5 });
    const header = 'form|company|cik|date_filed|accession';
    expect(() => parseFilingIndex(`${header}\n8-K|A|1|2025-02-30|x`)).toThrow('line 2');
    expect(() => parseFilingIndex(`${header}\n8-K|A|1|2025-02-03|x|more`)).toThrow(ParseError);
    expect(() => parseFilingIndex('form\n')).toThrow('line 1');
  });
});

describe('I1', () => {
  it('has the margin of the figures, and refuses a report without one of them', async () => {
    const apple = await findTenK({ cik: '0000320193', fiscal_year: 2024 });
    if (apple === null) throw new Error('the report is missing');
    expect(requireFacts(apple)).toMatchObject({ status: 'ok' });
    expect(normalizeTenK(apple)).toMatchObject({
      valid_from: '2023-10-01',
      valid_to: '2024-09-29',
      facts: { revenue: '391035000000', net_income: '93736000000', net_margin: '0.2397' },
    });
    const alphabet = await findTenK({ cik: '0001652044', fiscal_year: 2024 });
    expect(requireFacts(alphabet ?? { facts: {} })).toMatchObject({
      status: 'fail',
      error: { message: 'missing net_income', category: 'DATA_QUALITY', retryable: false },
    });
    expect(await findTenK({ cik: '0000320193', fiscal_year: 2023 })).toBeNull();
  });
});

describe('I4', () => {
  it('is the same workflow when it is written out and read again', () => {
    const definition = yamlWorkflow();
    expect(parseWorkflowYaml(stringifyWorkflowYaml(definition)).definition).toEqual(definition);
    expect(definition.steps.map(({ name, dependsOn }) => [name, dependsOn])).toEqual([
      ['fetch', undefined],
      ['validate', ['fetch']],
      ['normalize', ['fetch', 'validate']],
      ['store', ['normalize']],
    ]);
  });
});

describe('A3', () => {
  it('knows what was believed, day by day', async () => {
    const report = reported.parse(await readJsonFixture('amendments'));
    const [original, amended] = beliefsOf(report).map(({ payload }) => payload);
    if (original === undefined || amended === undefined) throw new Error('there are two filings');
    expect(believedOn(report, '2025-11-13')).toBeNull();
    expect(believedOn(report, '2025-11-30')).toEqual({ revenue: '391000000000', eps: '1.52' });
    expect(believedOn(report, '2025-12-01')).toEqual(amended);
    expect(restatement(original, amended)).toEqual({ revenue_delta: '3000000000', eps_delta: '-0.06' });
    const turned = { ...report, filings: report.filings.toReversed() };
    expect(() => beliefsOf(turned)).toThrow(ValidationError);
  });
});

describe('M1', () => {
  it('mends spelling, and nothing else', () => {
    const of = (amount: string) => diagnose({ payment: { id: 'P-0001', amount, currency: 'USD' } });
    const repaired = (amount: string) => ({
      type: 'repair',
      payment: { id: 'P-0001', amount, currency: 'USD' },
    });
    expect(of('1,250.00')).toEqual(repaired('1250.00'));
    expect(of('$1,234,567.8')).toEqual(repaired('1234567.8'));
    expect(of(' 12.50')).toEqual(repaired('12.50'));
    for (const amount of ['n/a', '1,25', '12,50.00', '$', '', '1e3', '--5']) {
      expect(of(amount)).toMatchObject({ type: 'leave' });
    }
    expect(diagnose({ payment: { id: 'P-0001' } })).toMatchObject({ type: 'leave' });
    expect(diagnose(null)).toMatchObject({ type: 'leave' });
    const broken = { id: 'P-0001', amount: 'n/a', currency: 'USD' };
    expect(letterIdOf(broken)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(letterIdOf({ ...broken })).toBe(letterIdOf(broken));
    expect(letterIdOf({ ...broken, amount: 'N/A' })).not.toBe(letterIdOf(broken));
    expect([severityOf(1, 11), severityOf(1, 10)]).toEqual(['WARN', 'ERROR']);
  });
});
