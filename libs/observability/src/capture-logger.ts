/**
 * A logger whose lines also go to a listener, as they are written: after redaction, with the logger's own serializers.
 *
 * 1. The listener gets lines of its own level, the log of the process those of the process's level. 2. A line costs its
 * parse; whoever logs nothing pays nothing. 3. Neither a listener that fails nor a line that cannot be read keeps a line
 * from the log of the process.
 */
import { hostname } from 'node:os';
import { pino } from 'pino';
import type { Logger } from './logger.ts';
import { redactText } from './redact.ts';
import { activeTraceFields } from './tracing/tracing.ts';

export interface CapturedLine {
  /** pino's number: 10 trace to 60 fatal. */
  readonly level: number;
  readonly message: string;
  /** What was logged beside the message, the logger's own bindings left out; null for nothing. */
  readonly fields: Readonly<Record<string, unknown>> | null;
}

export interface CaptureOptions {
  /** Carried by every line of the log of the process, and left out of what is captured. */
  readonly bindings: Readonly<Record<string, unknown>>;
  /** Least severe line that is captured: a pino level. */
  readonly level: string;
  readonly onLine: (line: CapturedLine) => void;
  /** What becomes of a line's text before anybody gets it; must keep it JSON. Default: nothing. */
  readonly clean?: (line: string) => string;
}

/** Lines longer than this are captured without their fields: parsing them would cost the handler more than they say. */
const MAX_PARSED = 64 * 1024;

/** What pino's own bindings leave out. */
const PROCESS = { pid: process.pid, hostname: hostname() };

interface Destination {
  write(line: string): void;
}

function isDestination(value: unknown): value is Destination {
  return typeof value === 'object' && value !== null && 'write' in value && typeof value.write === 'function';
}

function levelNumber(level: string): number {
  return pino.levels.values[level] ?? Infinity;
}

/** A child of `logger` that captures. Children of it capture too. */
export function captureLogger(logger: Logger, options: CaptureOptions): Logger {
  const logged = levelNumber(logger.level);
  const captured = levelNumber(options.level);
  const child = logger.child(options.bindings, { level: logged <= captured ? logger.level : options.level });
  const destination: unknown = Reflect.get(logger, pino.symbols.streamSym);
  // The documented way for a library to reach what a logger writes to.
  Object.assign(child, {
    [pino.symbols.streamSym]: new Tee(
      isDestination(destination) ? destination : null,
      logged,
      captured,
      { ...PROCESS, ...logger.bindings(), ...options.bindings },
      options,
    ),
  });
  return child;
}

class Tee implements Destination {
  /** Asks pino for the members that follow. */
  readonly [pino.symbols.needsMetadataGsym] = true;
  lastLevel = 0;
  lastMsg: unknown = undefined;
  readonly #destination: Destination | null;
  readonly #logged: number;
  readonly #captured: number;
  readonly #bindings: Readonly<Record<string, unknown>>;
  readonly #onLine: (line: CapturedLine) => void;
  readonly #clean: (line: string) => string;

  constructor(
    destination: Destination | null,
    logged: number,
    captured: number,
    bindings: Readonly<Record<string, unknown>>,
    { onLine, clean = (line) => line }: CaptureOptions,
  ) {
    this.#destination = destination;
    this.#logged = logged;
    this.#captured = captured;
    this.#bindings = bindings;
    this.#onLine = onLine;
    this.#clean = clean;
  }

  write(written: string): void {
    const line = this.#clean(written);
    const level = this.lastLevel;
    if (level >= this.#logged) this.#destination?.write(line);
    if (level < this.#captured) return;
    try {
      this.#onLine({ level, ...this.#read(line) });
    } catch {
      // A log line never fails a handler.
    }
  }

  #read(line: string): Pick<CapturedLine, 'message' | 'fields'> {
    const said = typeof this.lastMsg === 'string' ? this.#clean(redactText(this.lastMsg)) : '';
    if (line.length > MAX_PARSED) return { message: said, fields: { cut: `${line.length} characters` } };
    const { level: _level, time: _time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const known: Readonly<Record<string, unknown>> = { ...this.#bindings, ...activeTraceFields() };
    const fields = Object.entries(rest).filter(([name, value]) => known[name] !== value);
    return {
      message: typeof msg === 'string' ? msg : said,
      fields: fields.length === 0 ? null : Object.fromEntries(fields),
    };
  }
}
