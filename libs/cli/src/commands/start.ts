/** Processes on this machine: `spine start`, `spine migrate`. */
import { addCommand } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { EXIT } from '../frame/exit-codes.ts';
import { ROOT } from '../version.ts';

export const register: Register = (program, context) => {
  addCommand(program, context, {
    usage: 'start',
    summary: 'run everything on this machine: Postgres, API, workers, scheduler',
    // Loaded when needed: no other command should wait for database drivers.
    run: async () =>
      (await (await import('../launch/run-start.ts')).runStart(ROOT)) === 0 ? EXIT.ok : EXIT.failed,
  });
  addCommand(program, context, {
    usage: 'migrate',
    summary: "bring the database of SPINE_DATABASE_URL, and the queue's tables, up to date",
    run: async () => ((await (await import('../run-migrate.ts')).runMigrate()) === 0 ? EXIT.ok : EXIT.failed),
  });
};
