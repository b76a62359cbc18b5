import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ROLES } from '@spine/config';
import type { ConfigCommand } from './config-show.ts';

const USAGE = `usage: spine <command>

  start      run everything on this machine: Postgres, API, workers, scheduler
  migrate    bring the database of SPINE_DATABASE_URL, and the queue's tables, up to date
  config show   every setting with its value, secrets hidden, and where it comes from
  config check  whether a process could start with these settings, secrets resolved

      --json     config: JSON instead of text
      --role     config check: whose settings (${ROLES.join(', ')}); launcher is \`start\`
  -h, --help     this text
  -v, --version  the version

Settings are environment variables, env files and profiles: see docs/configuration.md.
`;

/** libs/cli/src or libs/cli/dist, three folders below the project. */
const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

type Parsed =
  | { readonly kind: 'command'; readonly name: 'start' | 'migrate' }
  | { readonly kind: 'config'; readonly command: ConfigCommand }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly problem: string };

/** Understands the command line. */
export function parseCommandLine(args: readonly string[]): Parsed {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
        json: { type: 'boolean' },
        role: { type: 'string' },
      },
    });
  } catch (error) {
    return { kind: 'wrong', problem: (error as Error).message };
  }
  if (parsed.values.help) return { kind: 'help' };
  if (parsed.values.version) return { kind: 'version' };
  const [name, ...more] = parsed.positionals;
  if (name === 'config') return parseConfig(more, parsed.values);
  const option = (['json', 'role'] as const).find((each) => parsed.values[each] !== undefined);
  if (option !== undefined) return { kind: 'wrong', problem: `--${option} belongs to "config"` };
  if (name !== 'start' && name !== 'migrate') {
    return { kind: 'wrong', problem: name === undefined ? 'no command given' : `unknown command "${name}"` };
  }
  if (more.length > 0) return { kind: 'wrong', problem: `"${name}" takes no arguments: "${more.join(' ')}"` };
  return { kind: 'command', name };
}

function parseConfig(
  args: readonly string[],
  { json = false, role = 'launcher' }: { readonly json?: boolean; readonly role?: string },
): Parsed {
  const [action, ...more] = args;
  if ((action !== 'show' && action !== 'check') || more.length > 0) {
    return { kind: 'wrong', problem: `"config" takes show or check, not "${args.join(' ')}"` };
  }
  const known = ROLES.find((each) => each === role);
  if (known === undefined)
    return { kind: 'wrong', problem: `--role takes one of ${ROLES.join(', ')}, not "${role}"` };
  return { kind: 'config', command: { action, role: known, json } };
}

/**
 * The `spine` command.
 * @returns the exit code: 0 done, 1 failed, 2 not understood
 */
export async function runCli(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args);
  switch (parsed.kind) {
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    case 'version':
      process.stdout.write(`${version()}\n`);
      return 0;
    case 'wrong':
      process.stderr.write(`spine: ${parsed.problem}\n\n${USAGE}`);
      return 2;
    case 'config':
      return (await import('./config-show.ts')).runConfig(parsed.command);
    case 'command':
      // Loaded when needed: the text above must not wait for database drivers.
      if (parsed.name === 'start') return (await import('./launch/run-start.ts')).runStart(ROOT);
      return (await import('./run-migrate.ts')).runMigrate();
  }
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'libs', 'cli', 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
