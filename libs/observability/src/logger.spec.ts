import { describe, expect, it } from 'vitest';
import { createLogger, silentLogger } from './logger.ts';

const SECRET = 'hunter2-hunter2-hunter2';

function captured(level = 'trace') {
  const lines: string[] = [];
  const logger = createLogger({
    service: 'worker',
    level,
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown> };
}

describe('a log line', () => {
  it('is JSON with a level name, an ISO time, the service and the process', () => {
    const { logger, last } = captured();
    logger.warn({ run_id: 'r' }, 'said');
    expect(last()).toMatchObject({
      level: 'warn',
      service: 'worker',
      pid: process.pid,
      run_id: 'r',
      msg: 'said',
    });
    expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('is not written below the level', () => {
    const { logger, lines } = captured('warn');
    logger.info('quiet');
    expect(lines).toEqual([]);
    silentLogger().fatal('quiet');
  });
});

describe('secrets', () => {
  it.each([
    'password',
    'secret',
    'token',
    'api_key',
    'apiKey',
    'authorization',
    'cookie',
    'access_key',
    'private_key',
    'connectionString',
    'connection_string',
  ])('in a field %s are redacted, up to two levels down', (field) => {
    for (const object of [
      { [field]: SECRET },
      { a: { [field]: SECRET } },
      { a: { b: { [field]: SECRET } } },
    ]) {
      const { logger, lines } = captured();
      logger.info(object, 'said');
      expect(lines.join('')).not.toContain(SECRET);
      expect(lines.join('')).toContain('[REDACTED]');
    }
  });

  it('in headers are redacted, wherever the request hangs', () => {
    const headers = {
      authorization: `Bearer ${SECRET}`,
      cookie: SECRET,
      'x-api-key': SECRET,
      'x-token': SECRET,
    };
    for (const object of [{ headers }, { req: { headers } }]) {
      const { logger, lines } = captured();
      logger.info(object, 'said');
      expect(lines.join('')).not.toContain(SECRET);
    }
  });

  it('in the fields of a child logger are redacted', () => {
    const { logger, lines } = captured();
    logger.child({ token: SECRET }).info('said');
    expect(lines.join('')).not.toContain(SECRET);
  });
});

describe('an error', () => {
  it('keeps its type, message, stack, code and cause', () => {
    const { logger, last } = captured();
    const cause = Object.assign(new TypeError('inner'), { code: '23505' });
    logger.error({ err: new Error('outer', { cause }) }, 'failed');
    expect(last()['err']).toMatchObject({
      type: 'Error',
      message: 'outer',
      stack: expect.stringContaining('logger.spec.ts') as string,
      cause: { type: 'TypeError', message: 'inner', code: '23505' },
    });
  });

  it('leaves behind what a driver hung on it: its client, its connection, its settings', () => {
    const client = { connectionParameters: { password: SECRET, host: 'db' }, _events: {} };
    const driverError = Object.assign(new Error('connection lost'), {
      code: '57P01',
      client,
      config: { values: [SECRET] },
      cause: Object.assign(new Error('inner'), { client }),
    });
    const { logger, lines } = captured();
    logger.error({ err: driverError }, 'failed');
    logger.error(driverError, 'failed');
    logger.error(driverError);
    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toContain(SECRET);
    for (const line of lines) expect(line).toContain('57P01');
  });

  it('does not leak as something thrown that is no error', () => {
    const { logger, lines } = captured();
    logger.error(
      { err: { message: 'odd', client: { connectionParameters: { password: SECRET } } } },
      'failed',
    );
    logger.error({ err: 'plain text' }, 'failed');
    expect(lines.join('')).not.toContain(SECRET);
    expect(lines[0]).toContain('odd');
    expect(lines[1]).toContain('plain text');
  });

  it('may be its own cause', () => {
    const { logger, last } = captured();
    const error = new Error('ouroboros');
    error.cause = error;
    logger.error({ err: error }, 'failed');
    expect(last()).toMatchObject({ msg: 'failed', err: { message: 'ouroboros' } });
  });

  it('tells the errors inside of it', () => {
    const { logger, lines } = captured();
    logger.error({ err: new AggregateError([new Error('connect ECONNREFUSED 127.0.0.1:1')], '') }, 'failed');
    expect(lines.join('')).toContain('ECONNREFUSED');
  });
});
