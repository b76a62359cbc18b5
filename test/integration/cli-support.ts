/** The `spine` command in this process: its streams are kept, its terminal is said, its Ctrl-C is a call. */
import { PassThrough } from 'node:stream';
import { Interrupted, runProgram } from '@spine/cli';
import type { CliIo, InputStream, OutputStream } from '@spine/cli';
import { waitFor } from '@spine/testing';

export interface SpineOptions {
  readonly url: string;
  /** Further variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Whether it believes to be at a terminal. Default false. */
  readonly terminal?: boolean;
  readonly cwd?: string;
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly problem: string;
}

/** A command under way. */
export interface Running {
  readonly ended: Promise<Ended>;
  readonly said: { readonly out: string; readonly problem: string };
  /** Waits for a text on standard output or standard error. */
  says(text: string): Promise<void>;
  /** Presses keys. */
  type(keys: string): void;
  interrupt(): void;
}

class TestOutput extends PassThrough implements OutputStream {
  readonly isTTY: boolean;
  readonly columns = 120;
  readonly rows = 30;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
}

/** A keyboard, or a file that ends. */
class TestInput extends PassThrough implements InputStream {
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  /** What prompts ask of a terminal: keys one by one, which these are anyway. */
  setRawMode(): this {
    return this;
  }
}

export function startSpine(args: readonly string[], options: SpineOptions): Running {
  const { url, env = {}, stdin = '', terminal = false, cwd = '/' } = options;
  const said = { out: '', problem: '' };
  const interrupts = new AbortController();
  const stdout = new TestOutput(terminal);
  const stderr = new TestOutput(terminal);
  stdout.setEncoding('utf8').on('data', (text: string) => void (said.out += text));
  stderr.setEncoding('utf8').on('data', (text: string) => void (said.problem += text));
  const keyboard = new TestInput(terminal);
  if (terminal) keyboard.write(stdin);
  else keyboard.end(stdin);
  const io: CliIo = {
    stdin: keyboard,
    stdout,
    stderr,
    cwd,
    env: { SPINE_URL: url, ...env },
    interrupts: () => interrupts.signal,
  };
  const ended = runProgram(args, io).then((code) => ({ code, ...said }));
  return {
    ended,
    said,
    says: async (text) => {
      let isOver = false;
      void ended.then(() => (isOver = true));
      await waitFor(
        () => {
          const found = said.out.includes(text) || said.problem.includes(text);
          if (!found && isOver)
            throw new Error(`ended without ${JSON.stringify(text)}: ${JSON.stringify(said)}`);
          return Promise.resolve(found);
        },
        { timeoutMs: 15_000, message: () => `${JSON.stringify(text)} in ${JSON.stringify(said)}` },
      );
    },
    type: (keys) => void keyboard.write(keys),
    interrupt: () => interrupts.abort(new Interrupted()),
  };
}

export function spine(args: readonly string[], options: SpineOptions): Promise<Ended> {
  return startSpine(args, options).ended;
}
