/** A portfolio and its closing prices, for B4 and I2. */
import { z } from 'zod';
import { MissingCloseError } from './missing-close.ts';
import { decimalText, ticker } from './fields.ts';
import { readJsonFixture } from './fixtures.ts';

export const position = z.strictObject({
  ticker,
  shares: z.int().min(1),
  /** What one share was bought for. */
  cost_basis: decimalText,
});
export type Position = z.infer<typeof position>;

export const positions = z.array(position).min(1).max(1_000);

export const PORTFOLIO: readonly Position[] = [
  { ticker: 'AAPL', shares: 1_000, cost_basis: '150.00' },
  { ticker: 'MSFT', shares: 500, cost_basis: '280.00' },
  { ticker: 'AMZN', shares: 200, cost_basis: '120.00' },
  { ticker: 'GOOGL', shares: 300, cost_basis: '140.00' },
];

const closesFile = z.record(z.iso.date(), z.record(ticker, decimalText));

/** Closing prices by day and ticker. */
export class Closes {
  readonly #days: ReadonlyMap<string, ReadonlyMap<string, string>>;

  constructor(days: z.infer<typeof closesFile>) {
    this.#days = new Map(
      Object.entries(days).map(([day, closes]) => [day, new Map(Object.entries(closes))] as const),
    );
  }

  static async read(): Promise<Closes> {
    return new Closes(closesFile.parse(await readJsonFixture('closes')));
  }

  /** Decimal text. @throws MissingCloseError */
  on(day: string, symbol: string): string {
    const close = this.#days.get(day)?.get(symbol);
    if (close === undefined) throw new MissingCloseError(day, symbol, [...this.#days.keys()]);
    return close;
  }

  /** The last day before `day` that has closes. @throws MissingCloseError */
  before(day: string): string {
    const earlier = [...this.#days.keys()].filter((each) => each < day).sort();
    const last = earlier.at(-1);
    if (last === undefined) throw new MissingCloseError(`before ${day}`, 'any', [...this.#days.keys()]);
    return last;
  }
}
