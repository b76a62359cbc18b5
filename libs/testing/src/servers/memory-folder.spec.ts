import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasRoom, makeMemoryFolder, memoryFolderOf, removeWithMemory } from './memory-folder.ts';
import { postgresDirectory } from './run-directory.ts';

const GIBIBYTE = 1024 ** 3;
const TMPFS = { type: 0x01021994, bsize: 4096, bavail: (8 * GIBIBYTE) / 4096 };

describe('a place in memory', () => {
  it('is used when it and the machine have room', () => {
    expect(hasRoom(TMPFS, 8 * GIBIBYTE)).toBe(true);
  });

  it.each([
    ['is on a disk', { ...TMPFS, type: 0xef53 }, 8 * GIBIBYTE],
    ['is as small as in most containers', { ...TMPFS, bavail: (64 * 1024 ** 2) / 4096 }, 8 * GIBIBYTE],
    ['takes memory that the tests need', TMPFS, 3 * GIBIBYTE],
  ])('is not used when it %s', (_, mount, memory) => {
    expect(hasRoom(mount, memory)).toBe(false);
  });
});

describe('the folder in memory of a run directory', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'spine-test-memory-'));
  });
  afterEach(() => removeWithMemory(directory));

  it('is where Postgres keeps its data, and goes with the directory', () => {
    expect(postgresDirectory(directory)).toBe(join(directory, 'postgres'));
    // A machine without such a place keeps everything in the directory.
    const made = makeMemoryFolder(directory);
    const folder = memoryFolderOf(directory);
    expect(folder !== undefined).toBe(made);
    const postgres = postgresDirectory(directory);
    expect(postgres).toBe(join(folder ?? directory, 'postgres'));
    mkdirSync(postgres);
    writeFileSync(join(postgres, 'PG_VERSION'), '18');

    removeWithMemory(directory);
    expect([directory, postgres].filter((path) => existsSync(path))).toEqual([]);
    expect(memoryFolderOf(directory)).toBeUndefined();
  });

  it('is not made twice: who was there first keeps it', () => {
    const made = makeMemoryFolder(directory);
    expect(makeMemoryFolder(directory)).toBe(false);
    expect(memoryFolderOf(directory) !== undefined).toBe(made);
  });
});
