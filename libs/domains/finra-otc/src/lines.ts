/**
 * The lines of a weekly file, as a stream.
 *
 * 1. Memory holds one chunk of lines: no line is longer than MAX_LINE_BYTES, and the file is never read whole.
 * 2. A field is what stands between two delimiters. Nothing is quoted or escaped: names hold quotes and backslashes.
 * 3. Line numbers are those of the file, whatever its line ends, blank lines and byte order mark.
 * 4. A file without the header is not a weekly file: it is refused whole, before any of its rows is looked at.
 */
import { ParseError, truncateText } from '@spine/core';
import { COLUMNS, DELIMITER } from './vocabulary.ts';

/** Longest line, in bytes. The longest of a real file has 254. */
export const MAX_LINE_BYTES = 8_192;

/** A line below the header that is not blank. */
export interface SourceLine {
  /** 1-based; the header of an ordinary file is line 1. */
  readonly line: number;
  /** As they stand in the file, space included. */
  readonly fields: readonly string[];
}

const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = '\uFEFF';
/** Control characters but the tab, which another kind of file may be delimited by. */
const NO_TEXT = /[^\P{Cc}\t]/u;

/**
 * The lines below the header, at most `perChunk` in an array. `observe` sees every byte of the file once, in order.
 *
 * @throws ParseError when the header is missing or another one, or a line is too long.
 */
export async function* readLines(
  bytes: AsyncIterable<Buffer>,
  perChunk: number,
  observe: (bytes: Buffer) => void = () => undefined,
): AsyncGenerator<SourceLine[], void, undefined> {
  let header: readonly string[] | null = null;
  let chunk: SourceLine[] = [];
  let number = 0;
  for await (const block of readBlocks(bytes, observe)) {
    for (const text of block.split('\n')) {
      number += 1;
      const line = { line: number, fields: fieldsOf(text) };
      if (line.fields.length === 1 && text.trim() === '') continue;
      if (header === null) {
        header = line.fields;
        checkHeader(line);
        continue;
      }
      chunk.push(line);
      if (chunk.length < perChunk) continue;
      yield chunk;
      chunk = [];
    }
  }
  if (header === null) throw new ParseError(`the file is empty; ${expected()}`);
  if (chunk.length > 0) yield chunk;
}

function fieldsOf(text: string): readonly string[] {
  return (text.endsWith('\r') ? text.slice(0, -1) : text).split(DELIMITER);
}

/**
 * The file as text, cut at line feeds: each block is some whole lines without the last one's line feed. A line feed is no
 * part of a longer UTF-8 sequence, so no character is cut.
 */
async function* readBlocks(
  bytes: AsyncIterable<Buffer>,
  observe: (bytes: Buffer) => void,
): AsyncGenerator<string, void, undefined> {
  /** What came after the last line feed: never more than one line. */
  let rest: Buffer[] = [];
  let isFirst = true;
  const textOf = (part: Buffer): string => {
    const text = part.toString('utf8');
    const start = isFirst && text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
    isFirst = false;
    return text.slice(start);
  };
  for await (const chunk of boundLines(bytes, observe)) {
    const end = chunk.lastIndexOf(LINE_FEED);
    if (end === -1) {
      rest.push(Buffer.from(chunk));
      continue;
    }
    // The line that began before this chunk is copied together, and no other.
    const first = chunk.indexOf(LINE_FEED);
    yield textOf(Buffer.concat([...rest, chunk.subarray(0, first)]));
    if (first < end) yield textOf(chunk.subarray(first + 1, end));
    rest = [Buffer.from(chunk.subarray(end + 1))];
  }
  yield textOf(Buffer.concat(rest));
}

/** Passes the bytes on, and refuses a line before it is collected. */
async function* boundLines(
  bytes: AsyncIterable<Buffer>,
  observe: (bytes: Buffer) => void,
): AsyncGenerator<Buffer, void, undefined> {
  let line = 1;
  let length = 0;
  const check = (): void => {
    if (length <= MAX_LINE_BYTES) return;
    throw new ParseError(`line ${line} is longer than ${MAX_LINE_BYTES} bytes; this is not a weekly file`);
  };
  for await (const chunk of bytes) {
    observe(chunk);
    let from = 0;
    for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, from)) {
      length += at - from;
      check();
      line += 1;
      length = 0;
      from = at + 1;
    }
    length += chunk.length - from;
    check();
    yield chunk;
  }
}

function checkHeader({ line, fields }: SourceLine): void {
  const found = fields.map((field) => field.trim());
  if (found.length === COLUMNS.length && COLUMNS.every((column, index) => column === found[index])) return;
  const text = found.join(DELIMITER);
  const shown = NO_TEXT.test(text)
    ? 'bytes that are no UTF-8 text, so a packed file has to be unpacked first'
    : JSON.stringify(truncateText(text, 300));
  throw new ParseError(`line ${line} is not the header of a weekly file: found ${shown}; ${expected()}`);
}

function expected(): string {
  return `the first line must be ${COLUMNS.join(DELIMITER)}`;
}
