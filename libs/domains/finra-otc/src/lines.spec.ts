import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ParseError, WeekEnding } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { MAX_LINE_BYTES, readLines } from './lines.ts';
import type { SourceLine } from './lines.ts';
import { sortLines } from './sort-lines.ts';
import { COLUMNS } from './vocabulary.ts';

const HEADER = COLUMNS.join('|');

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** `text` in pieces of `size` bytes. */
async function* inPieces(text: string | Buffer, size = 65_536): AsyncGenerator<Buffer, void, undefined> {
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function read(text: string | Buffer, perChunk = 1_000, size?: number): Promise<SourceLine[]> {
  return (await all(readLines(inPieces(text, size), perChunk))).flat();
}

describe('readLines', () => {
  it('gives fields and line numbers, and takes quotes and backslashes for what they are', async () => {
    expect(await read(`${HEADER}\n"a|b"c|\\|d\ne`)).toEqual([
      { line: 2, fields: ['"a', 'b"c', '\\', 'd'] },
      { line: 3, fields: ['e'] },
    ]);
  });

  it('skips blank lines, a byte order mark and CR LF, and still counts lines as the file has them', async () => {
    expect(await read(`\uFEFF\r\n${HEADER}\r\n\r\n  \r\na|b\r\n\n\nc|d\r\n\r\n`)).toEqual([
      { line: 5, fields: ['a', 'b'] },
      { line: 8, fields: ['c', 'd'] },
    ]);
  });

  it('gives chunks of the size asked for, the last one shorter, none empty', async () => {
    const sizes = async (rows: number): Promise<number[]> => {
      const text = `${HEADER}\n${'x\n'.repeat(rows)}`;
      return (await all(readLines(inPieces(text), 3))).map((chunk) => chunk.length);
    };
    expect(await sizes(7)).toEqual([3, 3, 1]);
    expect(await sizes(6)).toEqual([3, 3]);
    expect(await sizes(0)).toEqual([]);
  });

  it('shows the observer every byte', async () => {
    const seen: Buffer[] = [];
    const text = `${HEADER}\r\na|b\n\nc`;
    await all(readLines(inPieces(text, 7), 10, (bytes) => seen.push(bytes)));
    expect(Buffer.concat(seen).toString()).toBe(text);
  });

  it.each([
    ['an empty file', '', 'the file is empty'],
    ['only blank lines', '\n  \n\r\n', 'the file is empty'],
    [
      'no header',
      'OTC|A|a|v|OTCN|1|1|2025-12-15\n',
      'line 1 is not the header of a weekly file: found "OTC|A',
    ],
    ['a column too few', `${COLUMNS.slice(1).join('|')}\n`, 'line 1 is not the header'],
    ['a column too many', `\n${HEADER}|more\n`, 'line 2 is not the header'],
    ['other columns', `${HEADER.replace('MPID', 'mpid')}\n`, 'line 1 is not the header'],
    ['commas', `${HEADER.replaceAll('|', ',')}\n`, `the first line must be ${HEADER}`],
    ['tabs', `${HEADER.replaceAll('|', '\t')}\n`, 'found "tierDescription\\tissueSymbolIdentifier'],
    [
      'a packed file',
      gzipSync(`${HEADER}\n`),
      'found bytes that are no UTF-8 text, so a packed file has to be unpacked',
    ],
  ])('refuses %s', async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(ParseError);
    await expect(read(text)).rejects.toThrow(message);
  });

  it('refuses a line over the limit, wherever it is, and only then', async () => {
    const longest = 'x'.repeat(MAX_LINE_BYTES);
    expect(await read(`${HEADER}\n${longest}\n${longest}`, 10, 1_000)).toHaveLength(2);
    for (const text of [`${HEADER}\na\n${longest}y\nb\n`, `${HEADER}\na\n${longest}y`]) {
      for (const size of [100, 65_536]) {
        await expect(read(text, 10, size)).rejects.toThrow(`line 3 is longer than ${MAX_LINE_BYTES} bytes`);
      }
    }
  });

  it('reads no further than a line that never ends', async () => {
    let taken = 0;
    async function* endless(): AsyncGenerator<Buffer, void, undefined> {
      yield Buffer.from(`${HEADER}\n`);
      for (;;) {
        taken += 1;
        yield Buffer.alloc(1_024, '|');
      }
    }
    await expect(all(readLines(endless(), 10))).rejects.toThrow(ParseError);
    expect(taken).toBeLessThanOrEqual(MAX_LINE_BYTES / 1_024 + 1);
  });

  it('lets go of its source when the reader stops early, and hands on its errors', async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Buffer, void, undefined> {
      try {
        yield Buffer.from(`${HEADER}\n`);
        for (;;) yield Buffer.from('a|b\n'.repeat(1_000));
      } finally {
        closed = true;
      }
    }
    for await (const chunk of readLines(source(), 2)) {
      expect(chunk).toHaveLength(2);
      break;
    }
    await expect.poll(() => closed).toBe(true);

    async function* broken(): AsyncGenerator<Buffer, void, undefined> {
      yield Buffer.from(`${HEADER}\na|b\n`);
      throw new Error('EIO');
    }
    await expect(all(readLines(broken(), 10))).rejects.toThrow('EIO');
  });
});

describe('any file', () => {
  const partition = { tier: 'OTC', weekEnding: WeekEnding.parse('2025-12-12') } as const;
  const field = fc.oneof(
    fc.constantFrom(
      'OTC',
      'NMS Tier 1',
      'AABB',
      'OTCN',
      '1',
      '2025-12-15',
      '',
      ' ',
      '"',
      '\\',
      '\0',
      'é',
      '💥',
      '\uFFFD',
      '\r',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }).map((text) => text.replaceAll(/[\n|]/g, '')),
  );
  const valid = fc
    .tuple(fc.constantFrom('AABB', 'BRK B'), fc.nat(), fc.nat())
    .map(([symbol, shares, trades]) => `OTC|${symbol}|Name, "Inc"|Venue|OTCN|${shares}|${trades}|2025-12-15`);
  const anyLine = fc.oneof(
    valid,
    fc.array(field, { minLength: 1, maxLength: 10 }).map((fields) => fields.join('|')),
  );
  const file = fc.record({
    lines: fc.array(fc.tuple(anyLine, fc.constantFrom('\n', '\r\n')), { maxLength: 30 }),
    bom: fc.boolean(),
    perChunk: fc.integer({ min: 1, max: 7 }),
    pieceSize: fc.integer({ min: 1, max: 40 }),
  });

  it('has every line that is not blank as one row or one reject, with its number and its text', async () => {
    await fc.assert(
      fc.asyncProperty(file, async ({ lines, bom, perChunk, pieceSize }) => {
        const text = `${bom ? '\uFEFF' : ''}${HEADER}\n${lines.map(([line, end]) => line + end).join('')}`;
        // Read by other means: split at line feeds, one carriage return before them is part of the line end.
        const expected = text
          .replace(/^\uFEFF/, '')
          .split('\n')
          .map((line, index) => ({ line: index + 1, raw: line.replace(/\r$/, '') }))
          .filter(({ line, raw }) => line > 1 && (raw.includes('|') || raw.trim() !== ''));

        const sorted = [];
        let fileRows = 0;
        for await (const chunk of readLines(inPieces(text, pieceSize), perChunk)) {
          fileRows += chunk.length;
          const { rows, refused } = sortLines(chunk, partition);
          expect(rows.length + refused.length).toBe(chunk.length);
          sorted.push(...rows.map(({ line }) => ({ line, raw: null })));
          sorted.push(...refused.map(({ line, raw }) => ({ line, raw })));
        }
        expect(fileRows).toBe(expected.length);
        sorted.sort((a, b) => a.line - b.line);
        expect(sorted.map(({ line }) => line)).toEqual(expected.map(({ line }) => line));
        for (const [index, { raw }] of sorted.entries()) {
          if (raw === null) expect(expected[index]?.raw).toMatch(/^\s*OTC\s*\|/i);
          else expect(raw).toBe(expected[index]?.raw);
        }
        const validLines = lines.filter(([line]) =>
          /^OTC\|(AABB|BRK B)\|Name, "Inc"\|Venue\|OTCN\|\d+\|\d+\|2025-12-15$/.test(line),
        );
        expect(sorted.filter(({ raw }) => raw === null).length).toBeGreaterThanOrEqual(validLines.length);
      }),
      { numRuns: 300 },
    );
  });
});
