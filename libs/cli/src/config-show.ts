/** `spine config show` and `spine config check`: what is configured, and whether it can be used. Prints no secret. */
import {
  loadProcessSettings,
  readProcessConfiguration,
  shownVariables,
  spineFlags,
  toEnvironment,
} from '@spine/config';
import type { Configuration, FlagState, ProcessOptions, Role } from '@spine/config';
import { SpineError } from '@spine/core';

export interface ConfigCommand {
  readonly action: 'show' | 'check';
  readonly role: Role;
  readonly json: boolean;
}

export interface Output {
  readonly out: (text: string) => void;
  readonly problem: (text: string) => void;
}

const TO_STREAMS: Output = {
  out: (text) => void process.stdout.write(text),
  problem: (text) => void process.stderr.write(text),
};

function columns(rows: readonly (readonly [string, string, string])[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function showText(configuration: Configuration, flags: readonly FlagState[]): string {
  const variables = columns([
    ['SETTING', 'VALUE', 'SOURCE'],
    ...shownVariables(configuration).map(({ name, value, source }) => [name, value ?? '-', source] as const),
  ]);
  const flagRows = columns([
    ['FLAG', 'SETTING', 'SOURCE'],
    ...flags.map(({ name, setting, source }) => [name, String(setting), source] as const),
  ]);
  const layers = configuration.layers.map(({ source }) => source).join(' < ');
  return `tier ${configuration.tier}; default < ${layers}\n\n${variables}\n\n${flagRows}\n`;
}

function showJson(configuration: Configuration, flags: readonly FlagState[]): string {
  const { tier, profile, layers } = configuration;
  const document = {
    tier,
    profile: profile ?? null,
    layers: ['default', ...layers.map(({ source }) => source)],
    settings: shownVariables(configuration),
    flags: flags.map(({ name, type, setting, source, variable }) => ({
      name,
      type,
      setting,
      source,
      variable,
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Of another process; default: this one's. */
export type Places = Omit<ProcessOptions, 'role'>;

function show(json: boolean, { out }: Output, places: Places): void {
  const configuration = readProcessConfiguration(places);
  const flags = spineFlags(toEnvironment(configuration.merged)).list();
  out(json ? showJson(configuration, flags) : showText(configuration, flags));
}

async function check({ role, json }: ConfigCommand, { out }: Output, places: Places): Promise<void> {
  const { tier, warnings } = await loadProcessSettings({ ...places, role });
  if (json) {
    out(`${JSON.stringify({ role, tier, usable: true, problem: null, warnings }, null, 2)}\n`);
    return;
  }
  for (const warning of warnings) out(`warning: ${warning}\n`);
  out(`the settings can be used by role ${role} (tier ${tier})\n`);
}

/**
 * Shows the settings with their sources, or validates them for a role, references to secrets resolved.
 * @returns the exit code: 0 usable or shown, 1 not
 */
export async function runConfig(
  command: ConfigCommand,
  output: Output = TO_STREAMS,
  places: Places = {},
): Promise<number> {
  try {
    if (command.action === 'show') show(command.json, output, places);
    else await check(command, output, places);
    return 0;
  } catch (error) {
    if (!(error instanceof SpineError)) throw error;
    if (command.action === 'check' && command.json) {
      const answer = { role: command.role, usable: false, problem: error.message, warnings: [] };
      output.out(`${JSON.stringify(answer, null, 2)}\n`);
    } else output.problem(`${error.message}\n`);
    return 1;
  }
}
