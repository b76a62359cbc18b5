export {
  type CalendarEntry,
  type CalendarFile,
  ENTRY_TYPES,
  type EntryType,
  parseCalendarFile,
} from './calendar-file.ts';
export { type CapturedYear, capturedYears } from './captures.ts';
export { CalendarRangeError } from './errors.ts';
export { ExchangeCalendar } from './exchange-calendar.ts';
export { type Exchange, type ExchangeCode, EXCHANGES, isExchangeCode } from './exchanges.ts';
export type { LoadCalendarResult } from './load-calendar.ts';
export { type DayClaim, type Disagreement, disagreements, type YearSources } from './loaded-year.ts';
export { loadCalendar, type StoredCalendar, type YearProvenance } from './lookup.ts';
export type { ClosedDay, ExchangeHours, ExchangeYear, HalfDay, LocalTime, Session } from './model.ts';
export { registerReferenceCalendar, type ReferenceCalendarOptions } from './register.ts';
export { type KnownTradingCalendar, tradingCalendars } from './trading-calendars.ts';
export { DOMAIN as CALENDAR_DOMAIN, LOAD_CALENDAR } from './vocabulary.ts';
export { xnys } from './xnys.ts';
export { XNYS, XNYS_FIRST_YEAR, XNYS_HOURS, XNYS_LAST_YEAR, xnysYear } from './xnys-rules.ts';
