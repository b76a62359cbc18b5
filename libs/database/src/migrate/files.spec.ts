import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findMigrationsDir, readMigrations } from './files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spine-migrations-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, sql = 'SELECT 1;\n'): void {
  writeFileSync(join(dir, name), sql);
}

describe('readMigrations', () => {
  it('reads the numbered files in order and passes over what is not SQL', () => {
    write('0002_second.sql', 'SELECT 2;');
    write('0001_first.sql', 'SELECT 1;');
    write('README.md', 'about');
    expect(readMigrations(dir).map(({ version, name, sql }) => ({ version, name, sql }))).toEqual([
      { version: 1, name: '0001_first.sql', sql: 'SELECT 1;' },
      { version: 2, name: '0002_second.sql', sql: 'SELECT 2;' },
    ]);
  });

  it('gives a checkout with CRLF the same checksum, and an edited text another', () => {
    write('0001_first.sql', 'SELECT 1;\nSELECT 2;\n');
    const unix = readMigrations(dir)[0];
    write('0001_first.sql', 'SELECT 1;\r\nSELECT 2;\r\n');
    expect(readMigrations(dir)[0]).toEqual(unix);
    write('0001_first.sql', 'SELECT 1;\nSELECT 3;\n');
    expect(readMigrations(dir)[0]?.checksum).not.toBe(unix?.checksum);
  });

  it.each(['1_short.sql', '0001-dashed.sql', '0001_Upper.sql', 'first.sql', '0001_.sql.sql'])(
    'refuses the name %s',
    (name) => {
      write(name);
      expect(() => readMigrations(dir)).toThrow(name);
    },
  );

  it('refuses a number used twice and a gap, and names the number it expected', () => {
    write('0001_first.sql');
    write('0001_other.sql');
    expect(() => readMigrations(dir)).toThrow('0001_other.sql: expected number 0002');
    rmSync(join(dir, '0001_other.sql'));
    write('0003_third.sql');
    expect(() => readMigrations(dir)).toThrow('0003_third.sql: expected number 0002');
  });
});

describe('findMigrationsDir', () => {
  it('finds the folder above, and says so when there is none', () => {
    const deep = join(dir, 'a', 'b');
    mkdirSync(deep, { recursive: true });
    mkdirSync(join(dir, 'migrations'));
    expect(() => findMigrationsDir(deep)).toThrow(`no migrations folder above ${deep}`);
    writeFileSync(join(dir, 'migrations', '0001_runs.sql'), '');
    expect(findMigrationsDir(deep)).toBe(join(dir, 'migrations'));
  });

  it('finds the project’s own, whose files all read', () => {
    const files = readMigrations(findMigrationsDir());
    expect(files.map(({ version }) => version)).toEqual(files.map((_, index) => index + 1));
    expect(files[0]?.name).toBe('0001_runs.sql');
  });
});
