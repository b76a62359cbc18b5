/** The options and arguments of one call of a command, read with their types. Each reading says what is wrong by name. */
import { UsageError } from './usage-error.ts';

function named(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Options by their names as commander gives them: `--run-id` is `runId`. */
export class Options {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** @throws UsageError */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new UsageError(`${named(name)} is required`);
    return value;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** Of an option that may be given more than once. */
  texts(name: string): readonly string[] | undefined {
    const value = this.#values[name];
    if (!Array.isArray(value)) return undefined;
    return value.filter((each): each is string => typeof each === 'string');
  }

  /** @throws UsageError */
  choice<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : oneOf(named(name), value, allowed);
  }

  /** @throws UsageError */
  choices<T extends string>(name: string, allowed: readonly T[]): T[] | undefined {
    return this.texts(name)?.map((each) => oneOf(named(name), each, allowed));
  }

  /** @throws UsageError */
  whole(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : wholeNumber(named(name), value, min, max);
  }

  /** A time span in milliseconds: `90`, `90s`, `15m`, `2h`. @throws UsageError */
  span(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : spanMs(named(name), value);
  }

  /** An instant: RFC 3339, a day, or a span ago (`2h`). @throws UsageError */
  instant(name: string, now: number): string | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : instantOf(named(name), value, now);
  }
}

/** @throws UsageError */
export function oneOf<T extends string>(label: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found !== undefined) return found;
  throw new UsageError(`${label} takes one of ${allowed.join(', ')}, not ${JSON.stringify(value)}`);
}

/** @throws UsageError */
export function wholeNumber(label: string, value: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= min && number <= max) return number;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
  throw new UsageError(`${label} takes a whole number ${range}, not ${JSON.stringify(value)}`);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  '': 1_000,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** Timers take no more. */
const MAX_MS = 2 ** 31 - 1;

/** @throws UsageError */
export function spanMs(label: string, value: string, max = MAX_MS): number {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d|)$/.exec(value) ?? [];
  const ms = Number(digits) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  if (ms >= 1 && ms <= max) return ms;
  throw new UsageError(
    `${label} takes a time span such as 30s, 15m or 2h, at most ${Math.floor(max / 86_400_000)} days, not ${JSON.stringify(value)}`,
  );
}

/** A century: of spans that are added to a time. */
const MAX_FROM_NOW_MS = 36_500 * 86_400_000;

/** @param now epoch milliseconds, for spans. @throws UsageError */
export function instantOf(label: string, value: string, now: number): string {
  if (/^\d{1,9}(ms|s|m|h|d)$/.test(value)) {
    return new Date(now - spanMs(label, value, MAX_FROM_NOW_MS)).toISOString();
  }
  const text = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value;
  if (/^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(text) && !Number.isNaN(Date.parse(text))) {
    return new Date(text).toISOString();
  }
  throw new UsageError(
    `${label} takes an instant such as 2026-01-02T03:04:05Z, a day such as 2026-01-02, or a span such as 2h, not ${JSON.stringify(value)}`,
  );
}

/** As `instantOf`, where a span is one from now. @throws UsageError */
export function laterInstant(label: string, value: string, now: number): string {
  return /^\d{1,9}(ms|s|m|h|d)$/.test(value)
    ? new Date(now + spanMs(label, value, MAX_FROM_NOW_MS)).toISOString()
    : instantOf(label, value, now);
}
