/** Every operation of openapi.json has a command that asks for it, or a reason why none does. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placesOf } from './completion/tree.ts';
import { CliContext } from './frame/context.ts';
import type { CliIo } from './frame/io.ts';
import { COMMAND_OF, WITHOUT_COMMAND, WITHOUT_API } from './operations.ts';
import { buildProgram, runProgram } from './program.ts';

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: RegExp;
}

function operations(): Operation[] {
  const text = readFileSync(new URL('../../../openapi.json', import.meta.url), 'utf8');
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, { operationId: string }>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({
      id: operationId,
      method: method.toUpperCase(),
      path: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
    })),
  );
}

const FILES = {
  'runs.jsonl': '{"kind": "task", "name": "echo"}',
  'flow.yaml': 'kind: Workflow',
  'schedule.json': '{"name": "x", "schedule_type": "interval"}',
  'trigger.json': '{"name": "x", "source": {}, "target_type": "task", "target_name": "echo"}',
  'expected.json':
    '{"cadence": "daily", "partition_template": {}, "required_stages": [], "expected_delay_hours": 1}',
  'asset.json': '{"domain": "x"}',
};

/** An API that knows nothing, and what it was asked for. */
let server: Server;
let url: string;
let cwd: string;
let asked: { readonly method: string; readonly path: string }[] = [];

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'spine-operations-'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(cwd, name), text);
  server = createServer((request, response) => {
    asked.push({
      method: request.method ?? '',
      path: new URL(request.url ?? '', 'http://x').pathname,
    });
    request.resume();
    response.writeHead(404, { 'content-type': 'application/problem+json' });
    response.end(
      JSON.stringify({
        type: 'about:blank',
        title: 'Not found',
        status: 404,
        code: 'NOT_FOUND',
        detail: 'no',
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(cwd, { recursive: true, force: true });
});

function io(): CliIo {
  return {
    stdin: Readable.from([]),
    stdout: new PassThrough().resume(),
    stderr: new PassThrough().resume(),
    cwd,
    env: { SPINE_URL: url },
    interrupts: () => new AbortController().signal,
  };
}

const all = operations();
const places = placesOf(buildProgram(new CliContext(io())));
const commands = places.filter(({ commands }) => commands.length === 0).map(({ at }) => at.trim());

/** The command that a command line is one of. */
function commandOf(line: string): string | undefined {
  return commands.find((command) => line === command || line.startsWith(`${command} `));
}

describe('the operations of the API', () => {
  it('each have a command, or a reason why none', () => {
    const decided = [...Object.keys(COMMAND_OF), ...Object.keys(WITHOUT_COMMAND)];
    expect(decided.sort()).toEqual(all.map(({ id }) => id).sort());
  });

  it('are asked for by these commands', async () => {
    const wrong: unknown[] = [];
    for (const [id, line] of Object.entries(COMMAND_OF)) {
      asked = [];
      const code = await runProgram(line.split(' '), io());
      const operation = all.find((each) => each.id === id);
      const isReached = asked.some(
        ({ method, path }) => method === operation?.method && operation.path.test(path),
      );
      // Not found: the command line was understood, and the API was asked.
      if (!isReached || code !== 3) wrong.push({ id, line, code, asked });
    }
    expect(wrong).toEqual([]);
  });
});

describe('the commands', () => {
  it('each ask for an operation, or say why they ask for none', () => {
    const used = new Set(Object.values(COMMAND_OF).map(commandOf));
    const unused = commands.filter((command) => !used.has(command));
    expect(unused.sort()).toEqual(Object.keys(WITHOUT_API).sort());
  });
});
