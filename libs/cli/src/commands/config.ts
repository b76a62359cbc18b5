/** `spine config`: what is configured, and whether it can be used. */
import { ROLES } from '@spine/config';
import { addCommand, addGroup, choice } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { EXIT } from '../frame/exit-codes.ts';
import type { ExitCode } from '../frame/exit-codes.ts';

type Asked =
  { readonly action: 'show' } | { readonly action: 'check'; readonly role: (typeof ROLES)[number] };

async function run(asked: Asked, { io, out }: CliContext): Promise<ExitCode> {
  const { runConfig } = await import('../config-show.ts');
  const code = await runConfig(
    { role: 'launcher', ...asked, json: out.json },
    {
      out: (text) => void io.stdout.write(text),
      problem: (text) => void io.stderr.write(text),
    },
    { cwd: io.cwd, ...(io.env === undefined ? {} : { env: io.env }) },
  );
  return code === 0 ? EXIT.ok : EXIT.failed;
}

export const register: Register = (program, context) => {
  const config = addGroup(program, 'config', 'what is configured, and whether it can be used');
  addCommand(config, context, {
    usage: 'show',
    summary: 'every setting with its value, secrets hidden, and where it comes from',
    run: (_call, context) => run({ action: 'show' }, context),
  });
  addCommand(config, context, {
    usage: 'check',
    summary: 'whether a process could start with these settings, secrets resolved',
    options: [choice('--role <role>', 'whose settings (default: launcher, which is `start`)', ROLES)],
    examples: ['config check --role api'],
    run: ({ options }, context) =>
      run({ action: 'check', role: options.choice('role', ROLES) ?? 'launcher' }, context),
  });
};
