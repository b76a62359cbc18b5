/** `spine doctor`. */
import { loadCliSettings, ROLES } from '@spine/config';
import { addCommand, choice, option } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { EXIT } from '../frame/exit-codes.ts';
import { oneOf } from '../frame/options.ts';
import { version } from '../version.ts';
import { SUBJECTS, worstOf } from './finding.ts';
import type { Subject } from './finding.ts';
import { reportJson, reportText } from './render.ts';

const DEFAULT_TIMEOUT_MS = 5_000;

/** `database,redis`. @throws UsageError */
function subjectsOf(text: string | undefined): ReadonlySet<Subject> {
  if (text === undefined) return new Set(SUBJECTS);
  return new Set(text.split(',').map((each) => oneOf('--only', each.trim(), SUBJECTS)));
}

export const register: Register = (program, context) => {
  addCommand(program, context, {
    usage: 'doctor',
    summary:
      'look at settings, database, Redis, processes and work; say what is wrong and how to put it right',
    details: `It changes nothing. Exit code 1 when there is an error. What is looked at: ${SUBJECTS.join(', ')}.`,
    options: [
      option('--only <subjects>', 'look at these alone, separated by commas'),
      choice('--role <role>', 'whose settings (default: launcher, which is `start`)', ROLES),
      option('--timeout <span>', 'for each check (default: 5s)'),
    ],
    examples: ['doctor', 'doctor --only database,redis', 'doctor --json'],
    run: async ({ options }, { io, out, signal }) => {
      const subjects = subjectsOf(options.text('only'));
      const places = { cwd: io.cwd, ...(io.env === undefined ? {} : { env: io.env }) };
      // Loaded when needed: no other command should wait for database drivers.
      const { diagnose } = await import('./doctor.ts');
      const findings = await diagnose({
        subjects,
        role: options.choice('role', ROLES) ?? 'launcher',
        timeoutMs: options.span('timeout') ?? DEFAULT_TIMEOUT_MS,
        signal,
        places,
        api: async () => ({
          url: options.text('url') ?? (await loadCliSettings(places)).url,
          client: await context.client(),
        }),
        version: version(),
        node: process.versions.node,
      });
      await out.answer(reportJson(findings), () => reportText(findings, out.paint));
      return worstOf(findings) === 'error' ? EXIT.failed : EXIT.ok;
    },
  });
};
