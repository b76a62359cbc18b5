/** The command tree as completion needs it: every place a command line can be at, and what may come there. */
import type { Command } from 'commander';

export interface CompletedOption {
  /** `--limit`, `-n`. */
  readonly names: readonly string[];
  readonly description: string;
  /** What its value is; null for a flag. */
  readonly value: { readonly choices: readonly string[]; readonly isFile: boolean } | null;
}

export interface Place {
  /** The words that lead here, each after a space: '' is the program, ` run submit` a command. */
  readonly at: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** Of its arguments, where they are one of a few. */
  readonly values: readonly string[];
}

function optionsOf(command: Command): CompletedOption[] {
  // The help of commander holds the options that every command has, too.
  const help = command.createHelp();
  const all = [...help.visibleOptions(command), ...globalOptions(command)];
  return all.map((option) => ({
    names: [option.long, option.short].filter((name) => name !== undefined && name !== null),
    description: option.description,
    value:
      option.required || option.optional
        ? { choices: option.argChoices ?? [], isFile: option.flags.includes('<file>') }
        : null,
  }));
}

function globalOptions(command: Command): Command['options'] {
  return command.parent === null
    ? []
    : [...command.parent.options.filter(({ hidden }) => !hidden), ...globalOptions(command.parent)];
}

/** Every place, the program first. */
export function placesOf(command: Command, at = ''): Place[] {
  const commands = command.createHelp().visibleCommands(command);
  return [
    {
      at,
      commands: commands.map((each) => ({ name: each.name(), description: each.description() })),
      options: optionsOf(command),
      values: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    },
    ...commands
      .filter((each) => command.commands.includes(each))
      .flatMap((each) => placesOf(each, `${at} ${each.name()}`)),
  ];
}
