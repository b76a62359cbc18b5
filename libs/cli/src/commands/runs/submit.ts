import type { Command } from 'commander';
import { present } from '@spine/core';
import type { WorkSpec } from '@spine/sdk';
import { addCommand, choice, option, repeatable } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { EXIT } from '../../frame/exit-codes.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { parseJsonObject, readInput, readParams } from '../../frame/input.ts';
import { laterInstant, oneOf } from '../../frame/options.ts';
import type { Options } from '../../frame/options.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { KINDS, PRIORITIES } from './vocabulary.ts';
import { WAIT_OPTIONS, waitForRun } from './wait.ts';

export const PARAMS_HELP =
  'Params are key=value (JSON where it is some, key==value for text), a JSON object, @file or @- for standard input; later ones win.';

/** `kind:name`; a name alone is a task. @throws UsageError */
export function parseHandler(text: string): Pick<WorkSpec, 'kind' | 'name'> {
  const colon = text.indexOf(':');
  if (colon === -1) return { kind: 'task', name: text };
  return {
    kind: oneOf('the kind before the colon', text.slice(0, colon), KINDS),
    name: text.slice(colon + 1),
  };
}

function specOf(options: Options): Omit<WorkSpec, 'kind' | 'name' | 'params'> {
  const after = options.text('after');
  const runTimeout = options.span('runTimeout');
  const tags = options.texts('tag');
  return present({
    lane: options.text('lane'),
    priority: options.choice('priority', PRIORITIES),
    idempotency_key: options.text('idempotencyKey'),
    correlation_id: options.text('correlationId'),
    tags: tags === undefined ? undefined : [...tags],
    max_retries: options.whole('maxRetries'),
    timeout_seconds: runTimeout === undefined ? undefined : runTimeout / 1_000,
    run_after: after === undefined ? undefined : laterInstant('--after', after, Date.now()),
  });
}

/** With a file there need not be a handler: the first argument may be a param already. */
function splitArgs({ args }: Call, hasFile: boolean): readonly [string | undefined, readonly string[]] {
  const [first, ...rest] = args;
  const isParam = first !== undefined && /^[{@]|=/.test(first);
  return hasFile && isParam ? [undefined, args] : [first, rest];
}

/** The file's spec, under what the command line says. @throws UsageError */
async function readSpec(call: Call, { io }: CliContext): Promise<WorkSpec> {
  const file = call.options.text('file');
  const fromFile = file === undefined ? {} : parseJsonObject(await readInput(io, file), file);
  const [handler, more] = splitArgs(call, file !== undefined);
  const spec = {
    ...fromFile,
    ...(handler === undefined ? {} : parseHandler(handler)),
    ...specOf(call.options),
    ...present({ params: await readParams(io, more) }),
  };
  if (isSpec(spec)) return spec;
  throw new UsageError(
    'a handler is needed, such as task:echo: as an argument, or as kind and name in --file',
  );
}

/** The rest of a spec is the API's to judge: it says every field that is wrong. */
export function isSpec(value: object): value is WorkSpec {
  return (
    'kind' in value && 'name' in value && typeof value.kind === 'string' && typeof value.name === 'string'
  );
}

async function submit(call: Call, context: CliContext): Promise<ExitCode> {
  const { options } = call;
  const { out, notices } = context;
  const timeoutMs = options.span('timeout') ?? null;
  const wait = options.flag('wait');
  if (!wait && (timeoutMs !== null || options.flag('cancelOnInterrupt'))) {
    throw new UsageError('--timeout and --cancel-on-interrupt belong to --wait');
  }
  const spec = await readSpec(call, context);
  const client = await context.client();
  const submitted = await client.runs.submit(spec, { allowUnknown: options.flag('allowUnknown') });
  for (const warning of submitted.warnings) notices.say(`warning: ${warning}`);
  const { existing, warnings: _warnings, ...data } = submitted;
  if (!wait) {
    await out.answer({ ...data, existing }, () =>
      existing ? `${data.run_id} (submitted before, ${data.status})\n` : `${data.run_id}\n`,
    );
    return EXIT.ok;
  }
  if (notices.showsProgress) notices.say(`run ${data.run_id}${existing ? ' (submitted before)' : ''}`);
  return waitForRun(context, data.run_id, {
    timeoutMs,
    cancelOnInterrupt: options.flag('cancelOnInterrupt'),
  });
}

export function registerSubmit(run: Command, context: CliContext): void {
  addCommand(run, context, {
    usage: 'submit [handler] [params...]',
    summary: 'ask for a run of a handler such as task:echo',
    details: PARAMS_HELP,
    options: [
      option('-f, --file <file>', 'a whole work spec as JSON; what the command line says is on top of it'),
      option('--lane <lane>', 'lane to run in'),
      choice('--priority <priority>', 'before which others it runs', PRIORITIES),
      option('--idempotency-key <key>', 'submits with the same key are one run'),
      option('--correlation-id <id>', 'names what belongs together'),
      repeatable('--tag <tag>', 'may be repeated'),
      option('--after <when>', 'not before: an instant, or a span from now such as 10m'),
      option('--max-retries <count>', 'attempts after the first that failed'),
      option('--run-timeout <span>', 'longest time of one attempt'),
      option('--allow-unknown', 'also for a handler that no worker has told of'),
      option('-w, --wait', 'wait for the end; the exit code says the outcome'),
      ...WAIT_OPTIONS,
    ],
    examples: [
      'run submit task:echo message=hello --wait',
      'run submit operation:finra.otc_transparency.ingest_week @params.json --idempotency-key week-2026-01-02',
      `run submit task:add '{"a": 2, "b": 3}' --wait --timeout 30s --json`,
    ],
    run: submit,
  });
  addCommand(run, context, {
    usage: 'wait <run-id>',
    summary: 'wait for the end of a run; the exit code says the outcome',
    options: WAIT_OPTIONS,
    run: ({ arg, options }, context) =>
      waitForRun(context, arg(0), {
        timeoutMs: options.span('timeout') ?? null,
        cancelOnInterrupt: options.flag('cancelOnInterrupt'),
      }),
  });
}
