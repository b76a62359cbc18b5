import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { captureLogger } from './capture-logger.ts';
import { redactFields, redactText } from './redact.ts';

const SECRET = 'hunter2-hunter2-hunter2';

describe('text', () => {
  it.each([
    [`postgres://spine:${SECRET}@db:5432/spine`, 'postgres://[REDACTED]@db:5432/spine'],
    [`redis://:${SECRET}@cache:6379`, 'redis://[REDACTED]@cache:6379'],
    [`https://${SECRET}@host/a`, 'https://[REDACTED]@host/a'],
    [`amqp://u:p@${SECRET}@host`, 'amqp://[REDACTED]@host'],
    [`host=db password=${SECRET} dbname=x`, 'host=db password=[REDACTED] dbname=x'],
    [`GET /a?access_token=${SECRET}&page=2`, 'GET /a?access_token=[REDACTED]&page=2'],
    [`x-amz-signature=${SECRET}`, 'x-amz-signature=[REDACTED]'],
    [`Authorization: Bearer ${SECRET}`, 'Authorization: Bearer [REDACTED]'],
  ])('%s keeps its credentials to itself', (text, expected) => {
    expect(redactText(text)).toBe(expected);
    expect(redactText(redactText(text))).toBe(expected);
  });

  it.each([
    'https://example.org/a@b?x=1',
    'mail someone@example.org about http://host/path',
    'max_tokens=100 of tokens=3, the bearer of bad news',
    'a = b, token: none',
  ])('%s stays as it is', (text) => {
    expect(redactText(text)).toBe(text);
  });

  it('that is JSON stays JSON', () => {
    const line = JSON.stringify({ msg: `postgres://u:p"\\${SECRET}@h/d`, q: `token=${SECRET}` });
    expect(JSON.parse(redactText(line))).toEqual({ msg: 'postgres://[REDACTED]@h/d', q: 'token=[REDACTED]' });
  });

  it('that is long and hostile is read once', () => {
    for (const part of ['a://', 'password=', 'bearer ', 'a-', '\\', '@']) {
      const text = part.repeat(200_000 / part.length);
      expect(redactText(text).length).toBeGreaterThan(0);
    }
  });
});

describe('fields', () => {
  it('of telling names are hidden at any depth, lists included', () => {
    const fields = { a: [{ b: { client_secret: SECRET, c: { 'x-api-key': [SECRET], ok: 1 } } }] };
    expect(redactFields(fields)).toEqual({
      a: [{ b: { client_secret: '[REDACTED]', c: { 'x-api-key': '[REDACTED]', ok: 1 } } }],
    });
  });

  it('of what a driver has made are hidden as well, and what says itself how it is printed is asked', () => {
    class Client {
      readonly options = { password: SECRET, dsn: SECRET, host: 'db' };
      readonly port = 5432;
    }
    class Hidden {
      readonly secret = SECRET;
      toJSON(): string {
        return 'hidden';
      }
    }
    const kept = redactFields({ client: new Client(), hidden: new Hidden(), bytes: Buffer.from('a') });
    expect(JSON.stringify(kept)).not.toContain(SECRET);
    expect(kept['client']).toEqual({
      options: { password: '[REDACTED]', dsn: '[REDACTED]', host: 'db' },
      port: 5432,
    });
    expect(JSON.stringify(kept['hidden'])).toBe('"hidden"');
  });

  it('that are errors are told, without what hangs on them', () => {
    const error = Object.assign(new TypeError('lost'), { code: '57P01', client: { anything: SECRET } });
    const kept = redactFields({ reason: error, list: [error] });
    expect(JSON.stringify(kept)).not.toContain(SECRET);
    expect(kept['reason']).toMatchObject({ type: 'TypeError', message: 'lost', code: '57P01' });
  });

  it('that hide nothing are not copied; counts stay', () => {
    const fields = { max_tokens: 100, token: null, signed: { signature: true }, when: new Date(0) };
    expect(redactFields(fields)).toBe(fields);
  });

  it('may hold themselves', () => {
    const fields: Record<string, unknown> = { password: SECRET };
    fields['self'] = fields;
    expect(redactFields(fields)['password']).toBe('[REDACTED]');
    const lines: string[] = [];
    createLogger({ service: 'worker', destination: { write: (line) => void lines.push(line) } }).info(
      fields,
      'said',
    );
    expect(lines.join('')).not.toContain(SECRET);
  });
});

describe('a line', () => {
  it('holds no secret, wherever it was put, in the log of the process and in that of a run', () => {
    const lines: string[] = [];
    const kept: string[] = [];
    const process = createLogger({
      service: 'worker',
      destination: { write: (line) => void lines.push(line) },
    });
    const logger = captureLogger(process, {
      bindings: { run_id: 'r' },
      level: 'info',
      onLine: (line) => void kept.push(JSON.stringify(line)),
    });
    const dsn = `postgres://spine:${SECRET}@db/spine`;
    logger.info(`connecting to ${dsn}`);
    logger.info({ deep: { a: { b: { c: { password: SECRET } } } } }, 'deep');
    logger.warn({ err: new Error(`no answer of ${dsn}`, { cause: new Error(dsn) }) }, 'failed');
    logger.info({ url: dsn, filler: 'x'.repeat(70_000) }, `long ${dsn}`);
    logger.child({ nested: { api_key: SECRET } }).info('child');
    expect([lines.length, kept.length]).toEqual([5, 5]);
    for (const text of [...lines, ...kept]) {
      expect(() => JSON.parse(text) as unknown).not.toThrow();
      expect(text).not.toContain(SECRET);
    }
  });
});
