/** `spine completion`: what a shell needs to complete command lines. */
import { Argument } from 'commander';
import { completionScript, SHELLS } from '../completion/scripts.ts';
import { placesOf } from '../completion/tree.ts';
import { addCommand } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { oneOf } from '../frame/options.ts';

export const register: Register = (program, context) => {
  addCommand(program, context, {
    usage: 'completion',
    summary: 'print the completion script of a shell',
    examples: [
      'completion bash >> ~/.bashrc',
      'completion zsh > "${fpath[1]}/_spine"',
      'completion fish > ~/.config/fish/completions/spine.fish',
    ],
    run: async ({ arg }, { out }) => {
      const shell = oneOf('the shell', arg(0), SHELLS);
      const script = completionScript(shell, placesOf(program));
      await out.answer({ shell, script }, script);
    },
  }).addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(SHELLS));
};
