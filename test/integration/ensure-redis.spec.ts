import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { freePort } from '@spine/testing';

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

describe('scripts/ensure-redis.mjs', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spine-ensure-redis-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs it with a PATH that holds `folder` alone: neither docker nor apt-get is to be found. */
  async function ensureRedis(url?: string): Promise<Outcome> {
    const script = fileURLToPath(new URL('../../scripts/ensure-redis.mjs', import.meta.url));
    const child = spawn(process.execPath, [script], {
      env: { PATH: folder, ...(url === undefined ? {} : { SPINE_TEST_REDIS_URL: url }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [output, errors] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    return { code: child.exitCode, output, errors };
  }

  it('takes the given Redis when it answers', async () => {
    const { redis } = inject('spineServers');
    const { code, output } = await ensureRedis(redis);
    expect({ code, output }).toEqual({
      code: 0,
      output: `redis: ${new URL(redis).host} (SPINE_TEST_REDIS_URL)\n`,
    });
  });

  it('refuses a given Redis that does not answer, without telling its password', async () => {
    const { code, errors } = await ensureRedis(`redis://:s3cret@127.0.0.1:${await freePort()}`);
    expect(code).toBe(1);
    expect(errors).toContain('does not answer');
    expect(errors).not.toContain('s3cret');
  });

  it.each(['127.0.0.1:6379', 'http://s3cret@127.0.0.1', 'redis://'])('refuses %s', async (url) => {
    const { code, errors } = await ensureRedis(url);
    expect(code).toBe(1);
    expect(errors).toContain('SPINE_TEST_REDIS_URL must look like redis://host:6379');
    expect(errors).not.toContain('s3cret');
  });

  it('takes a server program on the path', async () => {
    writeFileSync(join(folder, 'redis-server'), '#!/bin/sh\necho "Redis server v=7.0.15"\n', { mode: 0o755 });
    const { code, output } = await ensureRedis();
    expect({ code, output }).toEqual({
      code: 0,
      output: `redis: Redis server v=7.0.15 (${folder}/redis-server)\n`,
    });
  });

  it('fails, and says what to do, when there is none and none can be installed', async () => {
    const { code, output, errors } = await ensureRedis();
    expect({ code, output }).toEqual({ code: 1, output: '' });
    expect(errors).toContain('The tests need a real Redis. Install one');
  });
});
