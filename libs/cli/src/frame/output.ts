/**
 * What a command answers.
 *
 * 1. With `--json`, standard output has the answer's data as JSON and nothing else. 2. When the reader has gone (`| head`),
 * writing throws `OutputClosed` and nothing is written after it; nothing crashes. 3. A slow reader is waited for, so that
 * a long list does not pile up in memory.
 */
import { once } from 'node:events';
import type { OutputStream } from './io.ts';
import { OutputClosed } from './io.ts';
import { jsonText } from './printable.ts';
import { fieldsText, tableText } from './table.ts';
import type { Column, Paint } from './table.ts';

export class Output {
  readonly json: boolean;
  readonly paint: Paint;
  /** Whether somebody looks at it. */
  readonly isTerminal: boolean;
  readonly #stream: OutputStream;
  readonly #closed = new AbortController();

  constructor(stream: OutputStream, { json, paint }: { readonly json: boolean; readonly paint: Paint }) {
    this.#stream = stream;
    this.json = json;
    this.paint = paint;
    this.isTerminal = stream.isTTY === true;
    // Without a listener an error of the stream ends the process with a trace.
    stream.on('error', () => this.#closed.abort(new OutputClosed()));
  }

  /** Aborts with `OutputClosed` when the reader has gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  get rows(): number {
    return this.#stream.rows ?? 24;
  }

  /** @throws OutputClosed */
  async write(text: string): Promise<void> {
    this.closed.throwIfAborted();
    if (text === '' || this.#stream.write(text)) return;
    try {
      await once(this.#stream, 'drain', { signal: this.closed });
    } catch (error) {
      throw this.closed.aborted ? new OutputClosed() : error;
    }
  }

  /** The answer: `human` where a person reads it, the data as JSON with `--json`. */
  async answer(data: unknown, human: string | (() => string)): Promise<void> {
    await this.write(this.json ? `${jsonText(data, 2)}\n` : typeof human === 'string' ? human : human());
  }

  /** One of many that come one by one: a line of JSON with `--json`. */
  async item(data: unknown, human: string | (() => string)): Promise<void> {
    await this.write(this.json ? `${jsonText(data)}\n` : typeof human === 'string' ? human : human());
  }

  /** The answer as its fields. @param shown the fields a person sees; default: all */
  fields(data: object, shown: Readonly<Record<string, unknown>> = { ...data }): Promise<void> {
    return this.answer(data, () => fieldsText(shown, this.paint));
  }

  /** The answer as rows. @param none what a person reads where there are no rows */
  table<T>(columns: readonly Column<T>[], rows: readonly T[], none: string): Promise<void> {
    return this.answer(rows, () => this.tableText(columns, rows, none));
  }

  tableText<T>(columns: readonly Column<T>[], rows: readonly T[], none: string): string {
    return rows.length === 0
      ? `${none}\n`
      : tableText(columns, rows, this.paint, this.isTerminal ? this.columns : null);
  }

  /** Waits until everything was taken by the system, so that the process may end. */
  async flush(): Promise<void> {
    if (this.closed.aborted || this.#stream.destroyed) return;
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()));
  }
}
