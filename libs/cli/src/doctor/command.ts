/** `spine doctor`. */
import { ROLES } from '@spine/config';
import { addCommand, choice, option, YES } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { EXIT } from '../frame/exit-codes.ts';
import { oneOf } from '../frame/options.ts';
import { UsageError } from '../frame/usage-error.ts';
import { version } from '../version.ts';
import { SUBJECTS, worstOf } from './finding.ts';
import type { Finding, Subject } from './finding.ts';
import { fixText, leftText, repairedJson, reportJson, reportText } from './render.ts';

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
    details:
      'It changes nothing unless --fix is given. Exit code 1 when there is an error, with --fix when one is left. ' +
      `What is looked at: ${SUBJECTS.join(', ')}.`,
    options: [
      option('--only <subjects>', 'look at these alone, separated by commas'),
      choice('--role <role>', 'whose settings (default: launcher, which is `start`)', ROLES),
      option('--timeout <span>', 'for each check (default: 5s)'),
      option('--fix', 'put right what can be put right without a person; asks before each'),
      YES,
    ],
    examples: ['doctor', 'doctor --only database,redis', 'doctor --fix', 'doctor --fix --yes --json'],
    run: async ({ options }, { io, out, signal }) => {
      const subjects = subjectsOf(options.text('only'));
      if (options.flag('yes') && !options.flag('fix')) throw new UsageError('--yes goes with --fix');
      const places = { cwd: io.cwd, ...(io.env === undefined ? {} : { env: io.env }) };
      // Loaded when needed: no other command should wait for database drivers.
      const { diagnose } = await import('./doctor.ts');
      const diagnosis = {
        subjects,
        role: options.choice('role', ROLES) ?? 'launcher',
        timeoutMs: options.span('timeout') ?? DEFAULT_TIMEOUT_MS,
        signal,
        places,
        api: async () => {
          const { url, origin } = await context.target();
          return { url, origin, client: await context.client() };
        },
        version: version(),
        node: process.versions.node,
      };
      const findings = await diagnose(diagnosis);
      const codeOf = (left: readonly Finding[]) => (worstOf(left) === 'error' ? EXIT.failed : EXIT.ok);
      if (!options.flag('fix')) {
        await out.answer(reportJson(findings), () => reportText(findings, out.paint));
        return codeOf(findings);
      }
      // What is asked about is seen first.
      if (!out.json) await out.write(reportText(findings, out.paint));
      const { repairWith } = await import('./fix/with.ts');
      const repaired = await repairWith(findings, diagnosis, {
        ask: (question) => context.confirm(question, options.flag('yes')),
        onFix: (fix) => context.notices.say(fixText(fix, context.notices.paint)),
      });
      await out.answer(repairedJson(repaired), () =>
        repaired.fixes.length === 0
          ? 'nothing that spine doctor puts right itself\n'
          : `\n${leftText(repaired.findings, out.paint)}`,
      );
      return codeOf(repaired.findings);
    },
  });
};
