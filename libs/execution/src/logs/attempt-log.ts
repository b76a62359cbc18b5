/** What the handler of one attempt logs, up to a limit. */
import { toPlainJson, toStorableText, truncateText } from '@spine/core';
import type { NewRunLog } from '@spine/database';
import type { CapturedLine } from '@spine/observability';
import { within } from '../queue/within.ts';
import type { AttemptInfo } from '../worker/context.ts';
import type { RunLogWriter } from './run-log-writer.ts';

/** Characters of a message, and of a line's fields as JSON. */
const MAX_MESSAGE = 8_000;
const MAX_FIELDS = 16_000;
/** How long the end of an attempt waits for its lines. */
const FLUSH_MS = 2_000;
const WARN = 40;

function fieldsJson(fields: CapturedLine['fields']): string | null {
  if (fields === null) return null;
  const json = JSON.stringify(toPlainJson(fields));
  return json.length <= MAX_FIELDS ? json : JSON.stringify({ cut: `${json.length} characters` });
}

export class AttemptLog {
  readonly #attempt: Pick<AttemptInfo, 'runId' | 'epoch' | 'attempt'>;
  readonly #writer: RunLogWriter;
  #lines = 0;
  #bytes = 0;
  #dropped = 0;
  #closed = false;
  /** Lines are written in order: when the last one is through, all are. */
  #last: Promise<void> | null = null;

  constructor(attempt: Pick<AttemptInfo, 'runId' | 'epoch' | 'attempt'>, writer: RunLogWriter) {
    this.#attempt = attempt;
    this.#writer = writer;
  }

  /** Takes a line; returns at once. After the attempt's end it is dropped, as everything else its handler does. */
  add({ level, message, fields }: CapturedLine): void {
    if (this.#closed) return;
    const text = toStorableText(truncateText(message, MAX_MESSAGE));
    const json = fieldsJson(fields);
    const bytes = Buffer.byteLength(text) + (json === null ? 0 : Buffer.byteLength(json));
    const { maxLines, maxBytes } = this.#writer;
    if (this.#lines >= maxLines || this.#bytes + bytes > maxBytes) {
      this.#dropped += 1;
      this.#writer.dropped('over_limit');
      return;
    }
    this.#lines += 1;
    this.#bytes += bytes;
    this.#submit({ level, message: text, fields: json }, bytes);
  }

  /** Waits a moment until all lines so far are written. */
  async flush(): Promise<void> {
    if (this.#last !== null) await within(FLUSH_MS, this.#last);
  }

  /**
   * Ends the log: says how many lines were dropped, and waits a moment until all are written. They would be refused
   * once the attempt has been settled.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#dropped > 0) {
      const message = `further lines dropped: ${this.#dropped}`;
      this.#submit({ level: WARN, message, fields: null }, message.length);
    }
    await this.flush();
  }

  #submit(line: Pick<NewRunLog, 'level' | 'message' | 'fields'>, bytes: number): void {
    const queued = this.#writer.submit({ ...this.#attempt, ...line, timestamp: new Date() }, bytes);
    if (queued === null) this.#dropped += 1;
    else this.#last = queued;
  }
}
