import type { MigrationFile } from './files.ts';

export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

export type MigrationPlan =
  | { readonly type: 'apply'; readonly pending: readonly MigrationFile[] }
  /** A migration that was applied reads differently now: history may not be edited. */
  | { readonly type: 'edited'; readonly name: string }
  /** The database holds a migration this code does not know: the code is older than the database. */
  | { readonly type: 'unknown'; readonly name: string };

/**
 * Migrations that were given out in a second form, by the checksum of that form; a later one brings both to the same
 * schema. Nothing is added here: what was given out is not edited.
 */
const SECOND_FORMS: ReadonlyMap<string, string> = new Map([
  ['0001_runs.sql', 'f8c192fddfd848d0d4da0fc562c951dd1536714c4a34fc33a89fca4948dd6f2c'],
]);

/** Compares what a database has applied with the files at hand. */
export function planMigrations(
  files: readonly MigrationFile[],
  applied: readonly AppliedMigration[],
): MigrationPlan {
  const byVersion = new Map(files.map((file) => [file.version, file]));
  for (const row of applied) {
    const file = byVersion.get(row.version);
    if (file === undefined) return { type: 'unknown', name: row.name };
    if (file.checksum !== row.checksum && SECOND_FORMS.get(file.name) !== row.checksum)
      return { type: 'edited', name: row.name };
  }
  const done = new Set(applied.map((row) => row.version));
  return { type: 'apply', pending: files.filter((file) => !done.has(file.version)) };
}
