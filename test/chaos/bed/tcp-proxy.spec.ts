import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '@spine/testing';
import { TcpProxy } from './tcp-proxy.ts';

/** Answers every message with itself, and remembers what it got. */
let echo: Server;
let heard: string;
let accepted: Socket[];
let proxy: TcpProxy;
const clients: Client[] = [];

class Client {
  readonly socket: Socket;
  text = '';
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
    clients.push(this);
  }
}

/** A link whose both ends are known to work. */
async function linked(): Promise<Client> {
  const client = new Client(proxy.port);
  client.socket.write('hello;');
  await waitFor(() => client.text === 'hello;');
  return client;
}

beforeEach(async () => {
  heard = '';
  accepted = [];
  echo = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      socket.write(chunk);
    });
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await TcpProxy.start(() => (echo.address() as AddressInfo).port);
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await proxy.stop();
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});

describe('a proxy', () => {
  it('passes both directions on', async () => {
    const client = await linked();
    client.socket.write('again;');
    await waitFor(() => client.text === 'hello;again;');
  });

  it('holds requests, and delivers them once it is opened again', async () => {
    const client = await linked();
    proxy.set('hold-requests');
    client.socket.write('held;');
    // The other direction still works, which also shows that time has passed for this one.
    accepted[0]?.write('news;');
    await waitFor(() => client.text === 'hello;news;');
    expect(heard).toBe('hello;');
    proxy.set('open');
    await waitFor(() => client.text === 'hello;news;held;');
    expect(heard).toBe('hello;held;');
  });

  it('holds answers, of a request that arrives', async () => {
    const client = await linked();
    proxy.set('hold-answers');
    client.socket.write('asked;');
    await waitFor(() => heard === 'hello;asked;');
    expect(client.text).toBe('hello;');
    proxy.set('open');
    await waitFor(() => client.text === 'hello;asked;');
  });

  it('throws away what it held when the links are reset', async () => {
    const client = await linked();
    proxy.set('hold-requests');
    client.socket.write('lost;');
    await waitFor(() => client.socket.writableLength === 0);
    proxy.reset();
    proxy.set('open');
    await waitFor(() => client.closed && proxy.links === 0);
    const next = await linked();
    expect(next.text).toBe('hello;');
    expect(heard).toBe('hello;hello;');
  });

  it('refuses: ends the links, and every new one', async () => {
    const client = await linked();
    proxy.set('refuse');
    await waitFor(() => client.closed);
    const late = new Client(proxy.port);
    await waitFor(() => late.closed);
    expect(accepted).toHaveLength(1);
    proxy.set('open');
    await linked();
  });

  it('abandons links: they are never served again and never closed, new ones work', async () => {
    const client = await linked();
    proxy.abandon();
    client.socket.write('into the void;');
    const next = await linked();
    proxy.set('open');
    next.socket.write('more;');
    await waitFor(() => next.text === 'hello;more;');
    expect(client.text).toBe('hello;');
    expect(client.closed).toBe(false);
    expect(heard).toBe('hello;hello;more;');
  });

  it('follows its target to another port', async () => {
    const other = createServer((socket) => socket.end('other')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    let port = (echo.address() as AddressInfo).port;
    const moving = await TcpProxy.start(() => port);
    port = (other.address() as AddressInfo).port;
    const client = new Client(moving.port);
    await waitFor(() => client.text === 'other');
    await moving.stop();
    await new Promise((resolve) => other.close(resolve));
  });
});
