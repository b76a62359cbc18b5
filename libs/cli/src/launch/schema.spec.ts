import { ConfigError } from '@spine/core';
import { anyFreePort } from '@spine/database/embedded';
import { describe, expect, it } from 'vitest';
import { prepareQueue } from './queue.ts';
import { databaseAddress, prepareSchema } from './schema.ts';

describe('servers that do not answer', () => {
  it('a database is named without its password', async () => {
    const port = await anyFreePort();
    const attempt = prepareSchema(`postgresql://spine:hunter2@127.0.0.1:${port}/d`, () => undefined);
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(
      `The database 127.0.0.1:${port}/d cannot be used: connect ECONNREFUSED`,
    );
    await expect(attempt).rejects.toThrow('SPINE_DATABASE_URL');
    await expect(attempt).rejects.not.toThrow('hunter2');
  });

  it('a Redis is named without its password', async () => {
    const port = await anyFreePort();
    const attempt = prepareQueue({ databaseUrl: '', redisUrl: `redis://:hunter2@127.0.0.1:${port}` });
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(`SPINE_REDIS_URL: 127.0.0.1:${port} cannot be used`);
    await expect(attempt).rejects.not.toThrow('hunter2');
  });
});

describe('databaseAddress', () => {
  it.each([
    ['postgresql://u:p@db:5433/spine', 'db:5433/spine'],
    ['postgres://db/spine?sslmode=require', 'db/spine'],
    ['postgresql:///spine?host=/run/postgresql', 'local socket/spine'],
    ['postgresql://[::1]:5432/spine', '[::1]:5432/spine'],
  ])('%s', (url, address) => {
    expect(databaseAddress(url)).toBe(address);
  });
});
