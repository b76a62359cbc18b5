/**
 * A TCP proxy in front of one server for one process, so that this process alone can be cut off from it.
 *
 * 1. A held direction delivers nothing and closes nothing, like a network that drops packets: neither side learns of
 *    it. What was held arrives when the proxy is opened again, in order; nothing is lost and nothing is repeated.
 * 2. `reset` ends every link and throws away what it held.
 * 3. `abandon` holds the present links for ever and lets new ones through, like a firewall that forgot them.
 * 4. The target is asked for at each connection: a server may come back on another port.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export type ProxyMode =
  | 'open'
  /** Links are reset and new ones refused. */
  | 'refuse'
  /** Nothing passes in either direction. */
  | 'hold'
  /** What the client sends is held. */
  | 'hold-requests'
  /** What the server answers is held. */
  | 'hold-answers';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  abandoned: boolean;
}

const HOST = '127.0.0.1';

export class TcpProxy {
  readonly #target: () => number;
  readonly #listener: Server;
  readonly #links = new Set<Link>();
  #mode: ProxyMode = 'open';

  private constructor(target: () => number) {
    this.#target = target;
    this.#listener = createServer((client) => this.#accept(client));
  }

  /** Starts a proxy on a free port of 127.0.0.1. `target` is the port of the server, also there. */
  static async start(target: () => number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#listener.once('error', reject);
      proxy.#listener.listen(0, HOST, resolve);
    });
    return proxy;
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#listener.address();
    if (address === null || typeof address === 'string') throw new RangeError('the proxy does not listen');
    return address.port;
  }

  /** Links under way, those held or abandoned among them. */
  get links(): number {
    return this.#links.size;
  }

  set(mode: ProxyMode): void {
    this.#mode = mode;
    if (mode === 'refuse') this.reset();
    else for (const link of this.#links) this.#apply(link);
  }

  reset(): void {
    for (const link of this.#links) drop(link);
  }

  abandon(): void {
    for (const link of this.#links) {
      link.abandoned = true;
      this.#apply(link);
    }
  }

  async stop(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#mode === 'refuse') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const link: Link = { client, server: connect(this.#target(), HOST), abandoned: false };
    this.#links.add(link);
    for (const socket of [client, link.server]) {
      socket.setNoDelay(true);
      // 'close' follows.
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#links.delete(link);
        drop(link);
      });
    }
    this.#apply(link);
  }

  #apply({ client, server, abandoned }: Link): void {
    const mode = abandoned ? 'hold' : this.#mode;
    direct(client, server, mode === 'open' || mode === 'hold-answers');
    direct(server, client, mode === 'open' || mode === 'hold-requests');
  }
}

/** Unpiped and paused, a socket is not read: what arrives stays in the kernel, and so does its end. */
function direct(from: Socket, to: Socket, flows: boolean): void {
  from.unpipe(to);
  if (flows) from.pipe(to);
  else from.pause();
}

function drop({ client, server }: Link): void {
  for (const socket of [client, server]) if (!socket.destroyed) socket.resetAndDestroy();
}
