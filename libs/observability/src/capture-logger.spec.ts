import { beforeEach, describe, expect, it } from 'vitest';
import { captureLogger } from './capture-logger.ts';
import type { CapturedLine } from './capture-logger.ts';
import { createLogger, silentLogger } from './logger.ts';
import type { Logger } from './logger.ts';

let captured: CapturedLine[];
let written: Record<string, unknown>[];
beforeEach(() => {
  captured = [];
  written = [];
});

const bindings = { run_id: 'r', attempt: 2 };

function capturing(level: string, processLevel = 'info'): Logger {
  const logger = createLogger({
    service: 'test',
    level: processLevel,
    destination: { write: (line) => void written.push(JSON.parse(line) as Record<string, unknown>) },
  });
  return captureLogger(logger, { bindings, level, onLine: (line) => captured.push(line) });
}

describe('a capturing logger', () => {
  it('captures what was said, and writes the line as ever', () => {
    capturing('info').info({ rows: 7, at: new Date(0) }, 'counted %d', 7);
    expect(captured).toEqual([
      { level: 30, message: 'counted 7', fields: { rows: 7, at: '1970-01-01T00:00:00.000Z' } },
    ]);
    expect(written).toMatchObject([
      { level: 'info', service: 'test', run_id: 'r', attempt: 2, rows: 7, msg: 'counted 7' },
    ]);
  });

  it('has no fields for a message alone, and no message for fields alone', () => {
    const log = capturing('info');
    log.info('only words');
    log.info({ only: 'fields' });
    expect(captured).toEqual([
      { level: 30, message: 'only words', fields: null },
      { level: 30, message: '', fields: { only: 'fields' } },
    ]);
  });

  it.each([
    ['debug', 'info', [20, 30, 50], ['info', 'error']],
    ['error', 'info', [50], ['info', 'error']],
    ['warn', 'debug', [50], ['debug', 'info', 'error']],
    ['debug', 'silent', [20, 30, 50], []],
    ['silent', 'info', [], ['info', 'error']],
  ])(
    'at %s in a process that logs at %s captures and writes each at its own level',
    (level, processLevel, levels, lines) => {
      const log = capturing(level, processLevel);
      log.trace('trace');
      log.debug('debug');
      log.info('info');
      log.error('error');
      expect(captured.map((line) => line.level)).toEqual(levels);
      expect(written.map((line) => line['level'])).toEqual(lines);
    },
  );

  it('captures nothing that the logger redacts', () => {
    const error = new Error('no');
    capturing('info').error({ password: 'hunter2', db: { token: 'hunter2' }, err: error }, 'failed');
    expect(JSON.stringify(captured)).not.toContain('hunter2');
    expect(captured[0]?.fields).toMatchObject({
      password: '[REDACTED]',
      db: { token: '[REDACTED]' },
      err: { type: 'Error', message: 'no' },
    });
  });

  it('captures its children with what they add', () => {
    capturing('info').child({ step: 'load' }).warn({ attempt: 9 }, 'slow');
    expect(captured).toEqual([{ level: 40, message: 'slow', fields: { step: 'load', attempt: 9 } }]);
  });

  it('captures a line that is very long without its fields', () => {
    capturing('info').info({ all: 'x'.repeat(100_000) }, 'much');
    expect(captured).toMatchObject([
      { message: 'much', fields: { cut: expect.stringMatching(/^1\d{5} characters$/) as string } },
    ]);
    expect(written).toHaveLength(1);
  });

  it('goes on when its listener fails', () => {
    const log = captureLogger(
      createLogger({
        service: 'test',
        destination: { write: (line) => void written.push(JSON.parse(line) as Record<string, unknown>) },
      }),
      {
        bindings,
        level: 'info',
        onLine: () => {
          throw new Error('full');
        },
      },
    );
    log.info('said');
    expect(written).toHaveLength(1);
  });

  it('captures from a logger that says nothing', () => {
    const log = captureLogger(silentLogger(), {
      bindings,
      level: 'info',
      onLine: (line) => captured.push(line),
    });
    log.info({ a: 1 }, 'said');
    log.debug('not said');
    expect(captured).toEqual([{ level: 30, message: 'said', fields: { a: 1 } }]);
  });
});
