/** Asking before something is done that cannot be taken back. */
import { confirm, isCancel } from '@clack/prompts';
import type { CliIo } from './io.ts';
import { Interrupted } from './io.ts';
import { UsageError } from './usage-error.ts';

/**
 * Whether it shall be done. Without `--yes`, a person at a terminal is asked; the answer is no unless they say yes.
 * @throws UsageError without `--yes` where nobody can be asked, Interrupted for Ctrl-C
 */
export async function confirmed(
  { stdin, stdout, stderr }: Pick<CliIo, 'stdin' | 'stdout' | 'stderr'>,
  question: string,
  yes: boolean,
): Promise<boolean> {
  if (yes) return true;
  if (stdin.isTTY !== true || stdout.isTTY !== true || stderr.isTTY !== true) {
    throw new UsageError(`${question} Nothing was done: there is no terminal to ask at`, {
      fix: 'give --yes to do it without being asked',
    });
  }
  const answer = await confirm({ message: question, initialValue: false, input: stdin, output: stderr });
  if (isCancel(answer)) throw new Interrupted();
  return answer;
}
