/** The command line `spine` as commander's tree. */
import { Command, CommanderError } from 'commander';
import * as approvals from './commands/approvals.ts';
import * as audit from './commands/audit.ts';
import * as completion from './commands/completion.ts';
import * as config from './commands/config.ts';
import * as data from './commands/data.ts';
import * as database from './commands/database.ts';
import * as deploy from './commands/deploy.ts';
import * as dlq from './commands/dlq.ts';
import * as events from './commands/events.ts';
import * as examples from './commands/examples.ts';
import * as functions from './commands/functions.ts';
import * as gates from './commands/gates.ts';
import * as keys from './commands/keys.ts';
import * as ledger from './commands/ledger.ts';
import * as mcp from './commands/mcp.ts';
import * as playground from './commands/playground.ts';
import * as queues from './commands/queues.ts';
import * as runs from './commands/runs.ts';
import * as schedules from './commands/schedules.ts';
import * as start from './commands/start.ts';
import * as stats from './commands/stats.ts';
import * as triggers from './commands/triggers.ts';
import * as workflows from './commands/workflows.ts';
import * as doctor from './doctor/command.ts';
import { exitCodeOf } from './frame/command.ts';
import type { Register } from './frame/command.ts';
import { CliContext } from './frame/context.ts';
import { EXIT } from './frame/exit-codes.ts';
import type { CliIo } from './frame/io.ts';
import { Options } from './frame/options.ts';
import { describeError, problemJson, problemLines } from './frame/problems.ts';
import { UsageError } from './frame/usage-error.ts';
import * as db from './local/db.ts';
import { version } from './version.ts';

/** Every group of commands, in the order of the help. */
const GROUPS: readonly { readonly register: Register }[] = [
  start,
  config,
  db,
  doctor,
  runs,
  dlq,
  workflows,
  approvals,
  playground,
  schedules,
  triggers,
  queues,
  gates,
  functions,
  examples,
  ledger,
  data,
  events,
  stats,
  deploy,
  database,
  keys,
  audit,
  mcp,
  completion,
];

const EXIT_CODES = `
Exit codes:
  0 done   1 failed, or the run ended badly   2 not understood   3 not found   4 refused, conflict
  5 no access   6 API not available   124 timeout   130 interrupted

Settings are environment variables, env files and profiles: see docs/configuration.md and docs/cli.md.`;

/** The whole tree, which writes to the context's streams and throws instead of ending the process. */
export function buildProgram(context: CliContext): Command {
  const { stdout, stderr } = context.io;
  const program = new Command('spine')
    .description('Run data work and see what happened to it.')
    .usage('<command> [options]')
    .version(version(), '-v, --version', 'the version')
    .helpOption('-h, --help', 'this help')
    .helpCommand('help [command]', 'help of a command')
    .option(
      '--url <url>',
      'the API (default: SPINE_URL, else the one started in this folder, else http://127.0.0.1:3000)',
    )
    .option('--key-file <file>', 'file that holds the API key (default: the key in SPINE_API_KEY)')
    .option('--json', 'answer with JSON and nothing else')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      // With --json the error is one line of JSON, and said once it is known whole.
      writeErr: (text) => context.out.json || void stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showSuggestionAfterError()
    .showHelpAfterError('(--help tells what a command takes)')
    .exitOverride()
    .addHelpText('after', EXIT_CODES);
  for (const { register } of GROUPS) register(program, context);
  return program;
}

/**
 * Runs one command line.
 * @param args without `node` and `spine`
 * @returns the exit code
 */
export async function runProgram(args: readonly string[], io: CliIo): Promise<number> {
  const context = new CliContext(io);
  // What goes wrong before the command line is understood is said as it was asked for as well.
  context.configure(new Options({ json: args.includes('--json') }));
  try {
    const program = buildProgram(context);
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(helpOfMany(args), { from: 'user' });
    return exitCodeOf(context);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are answers.
      if (error.exitCode === 0) return EXIT.ok;
      // What is wrong commander has said already, on standard error.
      return context.out.json ? report(context, misunderstood(error)) : EXIT.usage;
    }
    return report(context, error);
  } finally {
    await context.out.flush();
  }
}

/** `help run submit` asks what `run submit --help` does: commander's own command of help takes one word. */
function helpOfMany(args: readonly string[]): string[] {
  const [first, ...words] = args;
  return first === 'help' && words.length > 1 ? [...words, '--help'] : [...args];
}

/** An error of the command line as one of ours. */
function misunderstood({ code, message }: CommanderError): UsageError {
  return code === 'commander.help'
    ? new UsageError('a command is missing', { fix: 'spine help lists them' })
    : new UsageError(message.replace(/^error: /, '').replace(/\s+/g, ' '));
}

function report(context: CliContext, error: unknown): number {
  const described = describeError(error);
  const { notices } = context;
  notices.done();
  if (described.code === 'OUTPUT_CLOSED') return described.exitCode;
  // Who pressed Ctrl-C knows.
  if (described.code === 'INTERRUPTED') return described.exitCode;
  if (context.out.json) notices.say(JSON.stringify(problemJson(described)));
  else for (const line of problemLines(described)) notices.say(line);
  return described.exitCode;
}
