/** Processes on this machine: `spine start`, `spine dev`, `spine migrate`. */
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
    usage: 'dev',
    summary: 'the same, and compile and restart what you change',
    details:
      'Watches the sources of the services and all they import, and the migrations. Code that is broken ends nothing: it ' +
      'says what is wrong, and the next change is another try. Processes drain before they restart.',
    run: async () =>
      (await (await import('../launch/dev/run-dev.ts')).runDev(ROOT)) === 0 ? EXIT.ok : EXIT.failed,
  });
  addCommand(program, context, {
    usage: 'migrate',
    summary: "bring the database of SPINE_DATABASE_URL, and the queue's tables, up to date",
    run: async () => ((await (await import('../run-migrate.ts')).runMigrate()) === 0 ? EXIT.ok : EXIT.failed),
  });
};
