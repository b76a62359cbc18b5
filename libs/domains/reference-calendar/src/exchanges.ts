import type { ExchangeHours, ExchangeYear } from './model.ts';
import { XNYS_FIRST_YEAR, XNYS_HOURS, XNYS_LAST_YEAR, xnysYear } from './xnys-rules.ts';

/** What the code knows of an exchange. */
export interface Exchange {
  readonly hours: ExchangeHours;
  readonly firstYear: number;
  readonly lastYear: number;
  /** By rules, from firstYear to lastYear. */
  readonly year: (year: number) => ExchangeYear;
}

/** By market identifier code. */
export const EXCHANGES: Readonly<Record<'XNYS', Exchange>> = {
  XNYS: { hours: XNYS_HOURS, firstYear: XNYS_FIRST_YEAR, lastYear: XNYS_LAST_YEAR, year: xnysYear },
};
export type ExchangeCode = keyof typeof EXCHANGES;

export function isExchangeCode(code: string): code is ExchangeCode {
  return Object.hasOwn(EXCHANGES, code);
}

/** What the rules say of a year; null outside their years. */
export function ruledYear(code: ExchangeCode, year: number): ExchangeYear | null {
  const exchange = EXCHANGES[code];
  return year >= exchange.firstYear && year <= exchange.lastYear ? exchange.year(year) : null;
}
