/** `spine keys`: who may call the API. */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { present } from '@spine/core';
import type { ApiKey, NewApiKey, ShownApiKey } from '@spine/sdk';
import { stateStyle, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, option, repeatable, YES } from '../frame/command.ts';
import type { Call, Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { addList } from '../frame/list.ts';
import { laterInstant } from '../frame/options.ts';
import { UsageError } from '../frame/usage-error.ts';

const SCOPES = [
  'read',
  'submit',
  'operate',
  'admin',
  'metrics',
] as const satisfies readonly NewApiKey['scopes'][number][];

const TO_FILE = option(
  '--to-file <file>',
  'write the key to this new file, which only you can read, and not to the screen',
);

/**
 * The secret of a new key, which the API tells once. The file is made first: a key that nobody could read would have to be
 * revoked.
 * @throws UsageError for a file that is there already or cannot be made
 */
async function keepKey(
  { options }: Call,
  { io, out }: CliContext,
  make: () => Promise<ShownApiKey>,
): Promise<void> {
  const file = options.text('toFile');
  if (file === undefined) {
    const { key, ...made } = await make();
    await out.answer(
      { ...made, key },
      `${key}\n${out.paint('dim', 'This key is shown once: keep it now.')}\n`,
    );
    return;
  }
  const path = resolve(io.cwd, file);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw new UsageError(`--to-file ${file} cannot be made: ${(error as Error).message}`, { cause: error });
  }
  try {
    const { key, ...made } = await make();
    writeSync(descriptor, `${key}\n`);
    await out.answer({ ...made, file: path }, `${made.key_id} is in ${path}\n`);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

export const register: Register = (program, context) => {
  const keys = addGroup(program, 'keys', 'API keys: who may call');
  addList<ApiKey>(keys, context, {
    usage: 'list',
    summary: 'list API keys; their secrets are stored nowhere',
    columns: [
      { head: 'KEY', cell: ({ key_id }) => key_id },
      { head: 'NAME', cell: ({ name }) => name },
      { head: 'SCOPES', cell: ({ scopes }) => scopes.join(',') },
      { head: 'NAMESPACE', cell: ({ namespace }) => namespace },
      { head: 'STATE', cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
      { head: 'EXPIRES', cell: ({ expires_at }) => timeCell(expires_at) },
      { head: 'LAST USED', cell: ({ last_used_at }) => timeCell(last_used_at) },
    ],
    none: 'no keys',
    cursor: true,
    ask: (client, _call, position) => client.keys.list(position),
  });
  addCommand(keys, context, {
    usage: 'show <key-id>',
    summary: 'show one key; its secret is stored nowhere',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).keys.get(arg(0))),
  });
  addCommand(keys, context, {
    usage: 'expire <key-id>',
    summary: 'say until when a key is good, or with --never that it does not end',
    options: [
      option('--at <when>', 'an instant, or a span from now such as 30d'),
      option('--never', 'until it is revoked'),
    ],
    examples: ['keys expire 01912345-6789-7abc-8def-0123456789ab --at 30d'],
    run: async ({ arg, options }, { client, out }) => {
      const at = options.text('at');
      if ((at === undefined) !== options.flag('never')) throw new UsageError('give one of --at and --never');
      const expires_at = at === undefined ? null : laterInstant('--at', at, Date.now());
      const key = await (await client()).keys.expire(arg(0), { expires_at });
      await out.answer(
        key,
        `key ${key.key_id} is good until ${timeCell(key.expires_at) ?? 'it is revoked'}\n`,
      );
    },
  });
  addCommand(keys, context, {
    usage: 'create <name>',
    summary: 'make a key; it is shown once',
    options: [
      repeatable('--scope <scope>', `what it may do: ${SCOPES.join(', ')}; may be repeated (default: read)`),
      option('--namespace <name>', 'it sees the runs of this namespace alone'),
      option('--expires <when>', 'an instant, or a span from now such as 30d'),
      TO_FILE,
    ],
    examples: [
      'keys create reports --scope read --scope submit --expires 90d',
      'keys create ci --scope submit --to-file ci.key',
    ],
    run: (call, context) => {
      const { options, arg } = call;
      const expires = options.text('expires');
      const body = {
        name: arg(0),
        scopes: options.choices('scope', SCOPES) ?? ['read' as const],
        ...present({
          namespace: options.text('namespace'),
          expires_at: expires === undefined ? undefined : laterInstant('--expires', expires, Date.now()),
        }),
      };
      return keepKey(call, context, async () => (await context.client()).keys.create(body));
    },
  });
  addCommand(keys, context, {
    usage: 'rotate <key-id>',
    summary: 'give a key a new secret',
    options: [
      option('--grace <span>', 'how long the old one stays good (default: what the API says)'),
      TO_FILE,
    ],
    examples: ['keys rotate 01912345-6789-7abc-8def-0123456789ab --grace 1h'],
    run: (call, context) => {
      const grace = call.options.span('grace');
      const body = present({ grace_seconds: grace === undefined ? undefined : Math.round(grace / 1_000) });
      return keepKey(call, context, async () => (await context.client()).keys.rotate(call.arg(0), body));
    },
  });
  addCommand(keys, context, {
    usage: 'revoke <key-id>',
    summary: 'end a key now and for good',
    options: [YES],
    run: async ({ arg, options }, { client, confirm, out }) => {
      if (!(await confirm(`Revoke key ${arg(0)}? It cannot be taken back.`, options.flag('yes')))) return;
      const revoked = await (await client()).keys.revoke(arg(0));
      await out.answer(revoked, `key ${revoked.key_id} is ${revoked.status}\n`);
    },
  });
};
