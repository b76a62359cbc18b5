/** One way to make a command: its options typed, its examples in its help, its exit code kept. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { Options } from './options.ts';
import { UsageError } from './usage-error.ts';

/** A group of commands is put under the program by this. */
export type Register = (program: Command, context: CliContext) => void;

export interface Call {
  readonly options: Options;
  /** The arguments as they were given. */
  readonly args: readonly string[];
  /** An argument that the usage names as required. */
  readonly arg: (index: number) => string;
}

export interface CommandSpec {
  /** Name and arguments as commander understands them: `get <run-id>`, `show <name> [version]`. */
  readonly usage: string;
  readonly summary: string;
  /** Said in the command's help beside the summary. */
  readonly details?: string;
  readonly options?: readonly Option[];
  /** Command lines without the leading `spine`. */
  readonly examples?: readonly string[];
  /** @returns the exit code; none is `EXIT.ok` */
  readonly run: (call: Call, context: CliContext) => Promise<ExitCode | void>;
}

const exitCodes = new WeakMap<CliContext, ExitCode>();

/** Of the command that has run. */
export function exitCodeOf(context: CliContext): ExitCode {
  return exitCodes.get(context) ?? EXIT.ok;
}

export function addCommand(parent: Command, context: CliContext, spec: CommandSpec): Command {
  const command = parent.command(spec.usage).description(spec.summary);
  for (const option of spec.options ?? []) command.addOption(option);
  const { details, examples = [] } = spec;
  if (details !== undefined) command.addHelpText('after', `\n${details}`);
  if (examples.length > 0) {
    command.addHelpText('after', `\nExamples:\n${examples.map((each) => `  $ spine ${each}`).join('\n')}`);
  }
  command.action(async () => {
    const options = new Options(command.optsWithGlobals());
    context.configure(options);
    const call: Call = {
      options,
      args: command.args,
      arg: (index) => {
        const value = command.args[index];
        if (value === undefined)
          throw new UsageError(`argument ${index + 1} of ${command.name()} is missing`);
        return value;
      },
    };
    const code = await spec.run(call, context);
    if (code !== undefined) exitCodes.set(context, code);
  });
  return command;
}

/** A group of commands: `spine run …`. */
export function addGroup(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary);
}

/** An option, given once. The latter of two counts. */
export function option(flags: string, description: string): Option {
  return new Option(flags, description);
}

/** An option that takes one of these; help and completion name them. */
export function choice(flags: string, description: string, values: readonly string[]): Option {
  return new Option(flags, description).choices(values);
}

/** An option that may be given more than once. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, all: string[] | undefined) => [
    ...(all ?? []),
    value,
  ]);
}

export const YES = option('-y, --yes', 'do it without being asked');
