import { describe, expect, it } from 'vitest';
import type { MigrationFile } from './files.ts';
import { planMigrations } from './plan.ts';

function file(version: number, checksum = `sum-${version}`): MigrationFile {
  return { version, name: `000${version}_step.sql`, sql: 'SELECT 1', checksum };
}

describe('planMigrations', () => {
  it('applies what is not applied, in order', () => {
    const files = [file(1), file(2), file(3)];
    expect(planMigrations(files, [])).toEqual({ type: 'apply', pending: files });
    expect(planMigrations(files, [file(1)])).toEqual({ type: 'apply', pending: [file(2), file(3)] });
    expect(planMigrations(files, files)).toEqual({ type: 'apply', pending: [] });
  });

  it('refuses an edited migration, even when others wait', () => {
    expect(planMigrations([file(1, 'edited'), file(2)], [file(1)])).toEqual({
      type: 'edited',
      name: '0001_step.sql',
    });
  });

  it('takes the second form in which a migration was given out, of that one only', () => {
    const second = 'f8c192fddfd848d0d4da0fc562c951dd1536714c4a34fc33a89fca4948dd6f2c';
    const runs = { ...file(1), name: '0001_runs.sql' };
    expect(planMigrations([runs], [{ ...runs, checksum: second }])).toEqual({ type: 'apply', pending: [] });
    expect(planMigrations([file(1)], [{ ...file(1), checksum: second }])).toMatchObject({ type: 'edited' });
  });

  it('refuses a database that is ahead', () => {
    expect(planMigrations([file(1)], [file(1), file(2)])).toEqual({ type: 'unknown', name: '0002_step.sql' });
  });
});
