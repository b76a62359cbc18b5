import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliIo, OutputStream } from './frame/io.ts';
import { runProgram } from './program.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'spine-cli-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

async function spine(
  args: readonly string[],
  options: { env?: Record<string, string>; stdout?: OutputStream } = {},
) {
  const said = { out: '', problem: '' };
  const into = (name: 'out' | 'problem') => {
    const stream = new PassThrough();
    stream.setEncoding('utf8').on('data', (text: string) => void (said[name] += text));
    return stream;
  };
  const io: CliIo = {
    stdin: Readable.from(['{}']),
    stdout: options.stdout ?? into('out'),
    stderr: into('problem'),
    cwd,
    env: options.env ?? {},
    interrupts: () => new AbortController().signal,
  };
  const code = await runProgram(args, io);
  return { code, ...said };
}

/** Where nobody listens. */
const NOBODY = ['--url', 'http://127.0.0.1:1'];

describe('the command line', () => {
  it.each([[['--help']], [['help']], [['run', 'list', '--help']], [['help', 'run']]])(
    'helps with %j',
    async (args) => {
      const { code, out, problem } = await spine(args);
      expect({ code, problem }).toEqual({ code: 0, problem: '' });
      expect(out).toContain('Usage: spine');
    },
  );

  it.each([[['run', 'submit', '--help']], [['help', 'run', 'submit']]])(
    'tells every option that all commands have, and examples, with %j',
    async (args) => {
      const { out } = await spine(args);
      expect(out).toContain('Usage: spine run submit');
      for (const text of [
        '--json',
        '--url <url>',
        '--key-file <file>',
        'Examples:\n  $ spine run submit task:echo',
      ]) {
        expect(out).toContain(text);
      }
      expect(out).not.toMatch(/--(api-)?key <|--token/);
    },
  );

  it.each([
    [['run', 'list', '--wach'], "unknown option '--wach' (Did you mean --watch?)"],
    [['run'], 'a command is missing'],
    [['run', 'get'], "missing required argument 'run-id'"],
  ])('says as JSON what is wrong with %j', async (args, message) => {
    const { code, out, problem } = await spine([...args, '--json']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(JSON.parse(problem)).toMatchObject({ error: { code: 'USAGE', message, exit_code: 2 } });
  });

  it('tells its version', async () => {
    expect(await spine(['--version'])).toMatchObject({ code: 0, out: '0.1.0\n' });
  });

  it.each([
    [[], 'Usage: spine'],
    [['stat'], "unknown command 'stat'"],
    [['run'], 'Usage: spine run'],
    [['run', 'lst'], "unknown command 'lst'"],
    [['start', 'now'], 'too many arguments'],
    [['start', '--port', '3'], "unknown option '--port'"],
    [['config', 'check', '--role', 'boss'], "'boss' is invalid"],
    [['run', 'get'], "missing required argument 'run-id'"],
    [['run', 'list', '--status', 'done'], '--status takes one of pending, queued'],
    [['run', 'list', '--limit', '0'], '--limit takes a whole number from 1 to 1000, not "0"'],
    [['run', 'list', '--all', '--watch'], '--all and --watch exclude each other'],
    [['run', 'list', '--since', 'soon'], '--since takes an instant'],
    [['run', 'submit'], 'a handler is needed'],
    [
      ['run', 'submit', 'job:x'],
      'the kind before the colon takes one of task, operation, workflow, step, not "job"',
    ],
    [['run', 'submit', 'task:echo', 'word'], '"word" is no param'],
    [['run', 'submit', 'task:echo', '--timeout', '3s'], 'belong to --wait'],
    [['run', 'submit', '--file', 'gone.json'], 'gone.json cannot be read'],
    [['run', 'wait', 'x', '--timeout', '1y'], '--timeout takes a time span'],
    [['run', 'cancel'], 'give a run id, or filters'],
    [['run', 'cancel', 'x', '--name', 'y'], 'not both'],
    [['run', 'events'], 'give a run id, or --follow'],
    [['dlq', 'replay'], 'or --every-one'],
    [['schedule', 'create', 'x', 'task:echo'], 'give one of --cron, --every and --at'],
    [['schedule', 'preview', '--cron', '* * * * *', '--every', '5m'], 'give one of --cron, --every and --at'],
    [['completion', 'tcsh'], 'tcsh'],
    [['workflow', 'fork', 'x'], "required option '--from <step>' not specified"],
    [['workflow', 'modify', 'x'], 'give one of --skip, --retry and --file'],
    [['workflow', 'modify', 'x', '--skip', 'a', '--retry', 'b'], 'give one of --skip, --retry and --file'],
    [
      ['workflow', 'query', 'x', 'colour'],
      'what is asked takes one of state, context, outputs, step, signals',
    ],
    [['workflow', 'query', 'x', 'step'], 'step takes one --step'],
    [['workflow', 'query', 'x', 'state', '--step', 'y'], '--step belongs to step and outputs'],
    [['approval', 'list', 'x', '--workflow', 'y'], 'not both'],
    [['trigger', 'create', 'gone.json'], 'gone.json cannot be read'],
    [['limit', 'list', '--type', 'breaker'], "'breaker' is invalid"],
    [['expected', 'list', '--active', '--inactive'], 'exclude each other'],
    [['keys', 'expire', 'k', '--never', '--at', '1d'], 'give one of --at and --never'],
    [['playground', 'set', 's'], 'give params'],
    [['run', 'batch', '-'], '- line 1 must be a run with kind and name'],
  ])('refuses %j', async (args, message) => {
    const { code, out, problem } = await spine([...args, ...(args.length > 1 ? NOBODY : [])]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(problem).toContain(message);
  });

  it.each([
    [['keys', 'revoke', 'k'], 'Revoke key k?'],
    [['schedule', 'delete', 's'], 'Delete schedule s?'],
    [['workflow', 'archive', 'w'], 'Archive workflow w?'],
    [['backfill', 'delete', 'b'], 'Delete backfill b?'],
    [['trigger', 'delete', 't'], 'Delete trigger t?'],
    [['lock', 'release', 'l'], 'Take lock l from whoever holds it?'],
    [['expected', 'delete', 'd', 'w'], 'Delete what is expected of w of d?'],
    [['database', 'migrate'], 'Apply pending migrations?'],
  ])('does nothing that cannot be taken back without being told so: %j', async (args, question) => {
    const { code, problem } = await spine([...args, ...NOBODY]);
    expect(code).toBe(2);
    expect(problem).toContain(question);
    expect(problem).toContain('fix: give --yes');
  });

  it('says what to do when nobody answers, as text and as JSON', async () => {
    const asked = await spine(['keys', 'revoke', 'k', '--yes', ...NOBODY]);
    expect(asked).toMatchObject({ code: 6, out: '' });
    expect(asked.problem).toContain('fix: is the API running?');
    const { code, out, problem } = await spine(['keys', 'revoke', 'k', '--yes', '--json', ...NOBODY]);
    expect({ code, out }).toEqual({ code: 6, out: '' });
    expect(JSON.parse(problem)).toMatchObject({ error: { code: 'NO_CONNECTION', exit_code: 6 } });
  });
});

describe('the API that is called', () => {
  it('is that of SPINE_URL, unless --url says otherwise', async () => {
    const env = { SPINE_URL: 'http://127.0.0.1:1/there' };
    expect((await spine(['keys', 'revoke', 'k', '--yes'], { env })).problem).toContain(
      'http://127.0.0.1:1/there',
    );
    expect(
      (await spine(['keys', 'revoke', 'k', '--yes', '--url', 'http://127.0.0.1:1/here'], { env })).problem,
    ).toContain('/here');
  });

  it('is refused by name when its address cannot be one', async () => {
    const wrong = await spine(['stats'], { env: { SPINE_URL: 'redis://x' } });
    expect(wrong.code).toBe(2);
    expect(wrong.problem).toContain('SPINE_URL: given a redis:// URL (not shown); allowed: an http');
    expect((await spine(['stats', '--url', 'ftp://x'])).problem).toContain('must be an http or https URL');
  });

  it('gets no key that is not one, and no message quotes it', async () => {
    writeFileSync(join(cwd, 'key'), 'hunter2 and more\n');
    const file = await spine(['stats', '--key-file', 'key', ...NOBODY]);
    expect(file.code).toBe(2);
    expect(file.problem).toContain('--key-file key must hold one key and nothing else');
    const variable = await spine(['stats', ...NOBODY], { env: { SPINE_API_KEY: 'hunter2 hunter2' } });
    expect(variable.code).toBe(2);
    expect(variable.problem).toContain('SPINE_API_KEY: given a value of 15 characters');
    expect(file.problem + variable.problem).not.toContain('hunter2');
    expect((await spine(['stats', '--key-file', 'gone'])).problem).toContain(
      '--key-file gone cannot be read',
    );
  });
});

describe('the output', () => {
  it('may be closed by whoever reads it', async () => {
    const gone = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    const { code, problem } = await spine(['completion', 'bash'], { stdout: gone });
    expect({ code, problem }).toEqual({ code: 0, problem: '' });
  });

  it('of settings is what it was asked for', async () => {
    expect(JSON.parse((await spine(['config', 'show', '--json'])).out)).toMatchObject({ tier: 'minimal' });
    expect((await spine(['config', 'check', '--role', 'worker'])).code).toBe(1);
  });
});

describe('a workflow in a file', () => {
  const YAML = `apiVersion: spine.io/v1
kind: Workflow
metadata: { name: etl.filings }
spec:
  steps:
    - { name: fetch, kind: operation, handler: sec.fetch }
    - { name: store, kind: operation, handler: sec.store, depends_on: [fetch] }
`;
  beforeAll(() => {
    writeFileSync(join(cwd, 'etl.yaml'), YAML);
    writeFileSync(join(cwd, 'broken.yaml'), YAML.replace('[fetch]', '[fetched]'));
  });

  it('is linted without an API', async () => {
    const good = await spine(['workflow', 'lint', 'etl.yaml', ...NOBODY]);
    expect(good).toMatchObject({ code: 0 });
    expect(good.out).toContain('etl.filings: 0 errors');
    const { code, out } = await spine(['workflow', 'lint', 'broken.yaml', '--json', ...NOBODY]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      passed: false,
      counts: { error: 1 },
      diagnostics: [{ severity: 'error', field: 'spec.steps[1].depends_on[0]', line: 7 }],
    });
  });

  it('is tried without an API', async () => {
    const { code, out } = await spine(['workflow', 'dry-run', 'etl.yaml', '--json', ...NOBODY]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ is_valid: true, waves: [['fetch'], ['store']] });
    expect((await spine(['workflow', 'dry-run', 'etl.yaml', ...NOBODY])).out).toMatch(
      /^store +2 +operation +runs/m,
    );
  });

  it('is drawn without an API', async () => {
    expect((await spine(['workflow', 'graph', 'etl.yaml', ...NOBODY])).out).toContain('fetch');
    const { out } = await spine(['workflow', 'graph', 'etl.yaml', '--format', 'mermaid', ...NOBODY]);
    expect(out).toMatch(/^flowchart|^graph/);
  });

  it('that cannot be one is refused with every reason', async () => {
    const { code, problem } = await spine(['workflow', 'graph', 'broken.yaml', ...NOBODY]);
    expect(code).toBe(2);
    expect(problem).toContain('spec.steps[1].depends_on[0]');
  });
});
