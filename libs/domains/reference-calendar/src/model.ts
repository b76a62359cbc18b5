/** What a calendar of an exchange is made of, whether rules or a loaded file say it. */
import type { PlainDate } from '@spine/core';

/** A time of day on the exchange's own clock, `HH:MM`, 24 hours. */
export type LocalTime = `${number}:${number}`;

/** A weekday on which the exchange does not open. */
export interface ClosedDay {
  readonly date: PlainDate;
  readonly name: string;
  /** `holiday`: known years ahead. `special_closing`: a decision about one day, such as a day of mourning. */
  readonly kind: 'holiday' | 'special_closing';
}

/** A trading day that ends early. */
export interface HalfDay {
  readonly date: PlainDate;
  readonly name: string;
  readonly closesAt: LocalTime;
}

/** One year of an exchange. Saturdays and Sundays are closed without being listed. */
export interface ExchangeYear {
  /** Market identifier code as of ISO 10383, e.g. `XNYS`. */
  readonly exchangeCode: string;
  readonly year: number;
  /** Oldest first, one entry a day. */
  readonly closedDays: readonly ClosedDay[];
  /** Oldest first, one entry a day, none of them closed. */
  readonly halfDays: readonly HalfDay[];
}

/** When an ordinary session opens and closes. */
export interface ExchangeHours {
  /** IANA zone, e.g. `America/New_York`. */
  readonly timeZone: string;
  readonly opensAt: LocalTime;
  readonly closesAt: LocalTime;
}

/** The trading of one day, as instants. */
export interface Session {
  readonly date: PlainDate;
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly isHalfDay: boolean;
}
