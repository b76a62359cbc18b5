/** What a command touches of its process; tests give others. */
import type { Readable, Writable } from 'node:stream';

export interface OutputStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface InputStream extends Readable {
  readonly isTTY?: boolean;
}

export interface CliIo {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Base of relative paths. */
  readonly cwd: string;
  /** Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * Aborts at Ctrl-C with an `Interrupted`. Asked for by commands that wait; others end at Ctrl-C as any program does.
   */
  interrupts(): AbortSignal;
}

/** Ctrl-C, or a request to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}

/** Whoever read our output has gone, as `head` does: there is nobody to say anything to. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';

  constructor() {
    super('the output was closed');
  }
}

/** Of this process. The second Ctrl-C ends it at once. */
export function processIo(): CliIo {
  let controller: AbortController | undefined;
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    interrupts: () => {
      if (controller === undefined) {
        const made = new AbortController();
        controller = made;
        const interrupt = (): void => {
          if (made.signal.aborted) process.exit(130);
          made.abort(new Interrupted());
        };
        process.on('SIGINT', interrupt);
        process.on('SIGTERM', interrupt);
      }
      return controller.signal;
    },
  };
}
