import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatErrorLine, LogTail } from './log-tail.ts';

const line = (level: string | number, msg: string, more: object = {}) =>
  `${JSON.stringify({ level, msg, ...more })}\n`;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spine-log-'));
  file = join(folder, 'worker-1.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('formatErrorLine', () => {
  it.each([
    [line('error', 'claim failed', { err: { message: 'timeout' } }), 'claim failed: timeout'],
    [line('fatal', 'out of memory'), 'out of memory'],
    [line(50, 'numeric level'), 'numeric level'],
    [line('error', 'same', { err: { message: 'same' } }), 'same'],
    [line('error', '', { err: { message: 'only the cause' } }), 'only the cause'],
    ['{"level":"error"}', 'an error without a message'],
    [line('warn', 'slow'), undefined],
    [line(40, 'slow'), undefined],
    ['Error: not JSON', undefined],
    ['{"level":"error","msg":"to', undefined],
    ['{"msg":"no level"}', undefined],
  ])('%s', (text, expected) => {
    expect(formatErrorLine(text.trimEnd())).toBe(expected);
  });
});

describe('LogTail', () => {
  it('reports each error once, and none of an earlier process', () => {
    writeFileSync(file, line('error', 'of yesterday'));
    const tail = new LogTail(file);
    expect(tail.newErrors()).toEqual([]);
    appendFileSync(file, line('info', 'fine') + line('error', 'first'));
    expect(tail.newErrors()).toEqual(['first']);
    expect(tail.newErrors()).toEqual([]);
    appendFileSync(file, line('error', 'second'));
    expect(tail.newErrors()).toEqual(['second']);
  });

  it('waits for the rest of a line that is half written', () => {
    const tail = new LogTail(file);
    const whole = line('error', 'größer');
    appendFileSync(file, whole.slice(0, 20));
    expect(tail.newErrors()).toEqual([]);
    appendFileSync(file, whole.slice(20));
    expect(tail.newErrors()).toEqual(['größer']);
  });

  it('gives the last lines of this process', () => {
    writeFileSync(file, 'old\n');
    const tail = new LogTail(file);
    expect(tail.lastLines(5)).toEqual([]);
    appendFileSync(file, 'a\n\nb\nc\n');
    expect(tail.lastLines(2)).toEqual(['b', 'c']);
    expect(tail.lastLines(9)).toEqual(['a', 'b', 'c']);
  });

  it('sets a large file aside and goes on in the emptied one', () => {
    const tail = new LogTail(file);
    appendFileSync(file, line('error', 'before'));
    expect(tail.rotateWhenLarge(1_000)).toBe(false);
    expect(tail.newErrors()).toEqual(['before']);
    expect(tail.rotateWhenLarge(10)).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('');
    expect(readFileSync(`${file}.1`, 'utf8')).toBe(line('error', 'before'));
    appendFileSync(file, line('error', 'after'));
    expect(tail.newErrors()).toEqual(['after']);
  });

  it('does nothing without a file', () => {
    const tail = new LogTail(file);
    expect(tail.newErrors()).toEqual([]);
    expect(tail.lastLines(3)).toEqual([]);
    expect(tail.rotateWhenLarge(0)).toBe(false);
  });
});
