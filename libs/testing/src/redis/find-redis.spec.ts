import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findRedisProgram } from './find-redis.mjs';

describe('findRedisProgram', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'spine-find-redis-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function program(folder: string, name: string, script: string, mode = 0o755): string {
    const file = join(root, folder, name);
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode });
    return file;
  }
  const find = (...folders: string[]): ReturnType<typeof findRedisProgram> =>
    findRedisProgram(folders.map((folder) => join(root, folder)).join(delimiter));

  it('finds nothing on an empty path', () => {
    expect(findRedisProgram('')).toBeUndefined();
    expect(find('missing')).toBeUndefined();
  });

  it('prefers Redis to Valkey, wherever on the path they are', () => {
    program('a', 'valkey-server', 'echo "Valkey server v=8.1.1 sha=00000000:0"');
    const redis = program('b', 'redis-server', 'echo "Redis server v=7.0.15 sha=00000000:0"');
    const expected = { command: redis, argv0: 'redis-server', version: 'Redis server v=7.0.15' };
    expect(find('a', 'b')).toEqual(expected);
  });

  it('passes over what does not run, and over what is not a server', () => {
    program('a', 'redis-server', 'exit 1');
    program('b', 'redis-server', 'echo "redis-check-rdb 7.0.15"');
    program('c', 'redis-server', 'echo "Redis server v=1.0.0"', 0o644);
    const valkey = program('d', 'valkey-server', 'echo "Valkey server v=8.1.1 sha=00000000:0"');
    expect(find('a', 'b', 'c', 'd')?.command).toBe(valkey);
  });
});
