/**
 * One kept-alive HTTP/1.1 connection that asks one thing at a time, for load generators: they share the machine with what they
 * measure, and a general client costs as much as the answers it waits for.
 *
 * It reads answers with a Content-Length and no others; anything else is a fault.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  /** Of the body. */
  readonly text: () => string;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

interface Head {
  readonly status: number;
  /** Where the body begins. */
  readonly from: number;
  readonly length: number;
}

const HEAD_END = '\r\n\r\n';

/** Null: it has not arrived as a whole. @throws Error for an answer without a length. */
function headOf(bytes: Buffer): Head | null {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return null;
  const text = bytes.toString('latin1', 0, end);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  if (status === undefined || length === undefined) throw new Error(`no length in ${text}`);
  return { status: Number(status), from: end + HEAD_END.length, length: Number(length) };
}

export class HttpConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #waiting: Waiting | null = null;
  #received: Buffer[] = [];
  #bytes = 0;
  #head: Head | null = null;

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** @param body JSON text. */
  ask(method: 'GET' | 'POST', path: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting !== null) throw new Error('an answer is still under way');
      this.#waiting = { resolve, reject };
      const head = `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n`;
      this.#socket.write(
        body === undefined
          ? `${head}\r\n`
          : `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#bytes += chunk.length;
    try {
      this.#head ??= headOf(this.#joined());
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const head = this.#head;
    if (head === null || this.#bytes < head.from + head.length) return;
    const whole = this.#joined();
    this.#received = [];
    this.#bytes = 0;
    this.#head = null;
    const { status, from, length } = head;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ status, text: () => whole.toString('utf8', from, from + length) });
  }

  #joined(): Buffer {
    const [first] = this.#received;
    const whole = this.#received.length === 1 && first !== undefined ? first : Buffer.concat(this.#received);
    this.#received = [whole];
    return whole;
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
    this.#socket.destroy();
  }
}
