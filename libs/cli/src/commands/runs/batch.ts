/** `spine run batch`: many runs in one request. */
import type { Command } from 'commander';
import type { WorkSpec } from '@spine/sdk';
import { addCommand, option } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { EXIT } from '../../frame/exit-codes.ts';
import { parseJsonObject, readInput } from '../../frame/input.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { isSpec } from './submit.ts';

/** What the API takes at once. */
const MAX_SPECS = 1_000;

/** One JSON object a line. @throws UsageError naming the line */
function specsIn(text: string, file: string): WorkSpec[] {
  const specs = text.split('\n').flatMap((line, at): WorkSpec[] => {
    if (line.trim() === '') return [];
    const label = `${file} line ${at + 1}`;
    const spec = parseJsonObject(line, label);
    if (isSpec(spec)) return [spec];
    throw new UsageError(`${label} must be a run with kind and name`);
  });
  if (specs.length > 0 && specs.length <= MAX_SPECS) return specs;
  throw new UsageError(`${file} must have 1 to ${MAX_SPECS} runs, one a line; it has ${specs.length}`);
}

export function registerBatch(run: Command, context: CliContext): void {
  addCommand(run, context, {
    usage: 'batch <file>',
    summary: 'ask for many runs, one JSON object a line; exit code 1 when one is refused',
    details:
      'Lines are what `run submit --file` takes, such as {"kind": "task", "name": "echo", "params": {"n": 1}}; - is standard input.',
    options: [option('--allow-unknown', 'also handlers that no worker has told of')],
    examples: ['run batch runs.jsonl'],
    run: async ({ arg, options }, { client, io, out }) => {
      const specs = specsIn(await readInput(io, arg(0)), arg(0));
      const allowUnknown = options.flag('allowUnknown') ? true : undefined;
      const done = await (await client()).runs.submitBatch(specs, { allowUnknown });
      const refused = done.items.flatMap((each) =>
        each.outcome === 'refused' ? [`  ${each.index + 1}: ${each.detail}\n`] : [],
      );
      await out.answer(
        done,
        () =>
          `${done.accepted} accepted, ${done.existing} known before, ${done.refused} refused\n${refused.join('')}`,
      );
      return done.refused === 0 ? EXIT.ok : EXIT.failed;
    },
  });
}
