import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NetworkError, ParseError } from '@spine/core';
import { BlockedUrlError, guardedFetch } from './guarded-fetch.ts';
import type { Resolve } from './guarded-fetch.ts';

let server: Server;
let port: number;
/** Paths and the header x-key of what reached the server. */
let reached: string[];

beforeAll(async () => {
  server = createServer((request, response) => {
    const { url = '', headers } = request;
    reached.push(
      `${headers.host?.split(':')[0] ?? ''}${url}${headers['x-key'] === undefined ? '' : ' with key'}`,
    );
    const to = new URL(url, 'http://x').searchParams.get('to');
    if (to !== null) response.writeHead(302, { location: to }).end();
    else if (url === '/large') response.end('x'.repeat(2_000));
    else if (url !== '/never') response.end('answer');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
beforeEach(() => (reached = []));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** A resolver without a network: names and their addresses, one answer after the other. */
function resolver(names: Readonly<Record<string, readonly (readonly string[])[]>>): Resolve {
  const asked = new Map<string, number>();
  return (hostname, _options, callback) => {
    const turn = asked.get(hostname) ?? 0;
    asked.set(hostname, turn + 1);
    const answers = names[hostname] ?? [];
    const addresses = answers[Math.min(turn, answers.length - 1)] ?? [];
    setImmediate(() => {
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    });
  };
}

const blocked = async (url: string, resolve: Resolve = resolver({})): Promise<string> => {
  const error: unknown = await guardedFetch(url, { resolve, timeoutMs: 5_000 }).catch(
    (caught: unknown) => caught,
  );
  expect(error, url).toBeInstanceOf(BlockedUrlError);
  return error instanceof Error ? error.message : '';
};

describe('guardedFetch', () => {
  it('reaches no address of this machine or its network, in whatever notation', async () => {
    for (const host of [
      '127.0.0.1',
      '127.1',
      '0x7f.0.0.1',
      '0x7f000001',
      '2130706433',
      '0177.0.0.1',
      '017700000001',
      '0',
      '0.0.0.0',
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[0:0:0:0:0:ffff:7f00:1]',
      '[64:ff9b::7f00:1]',
      '①②⑦.⓪.⓪.①',
      '127。0。0。1',
      '10.0.0.1',
      '169.254.169.254',
      '[fd00:ec2::254]',
      '100.100.100.200',
    ]) {
      await blocked(`http://${host}:${port}/`);
    }
    expect(reached).toEqual([]);
  });

  it('takes http and https alone, without a user', async () => {
    for (const url of [
      'file:///etc/passwd',
      'gopher://8.8.8.8/',
      'ftp://8.8.8.8/',
      'data:text/plain,x',
      'javascript:1',
      'http://user@8.8.8.8/',
      'http://:pw@8.8.8.8/',
      'http://',
      '//8.8.8.8/',
      '',
    ]) {
      await blocked(url);
    }
  });

  it('judges what a name means, all of it', async () => {
    const resolve = resolver({
      'inside.example': [['127.0.0.1']],
      'half.example': [['8.8.8.8', '127.0.0.1']],
      'mapped.example': [['::ffff:127.0.0.1']],
    });
    for (const name of ['inside.example', 'half.example', 'mapped.example']) {
      expect(await blocked(`http://${name}:${port}/`, resolve)).toContain(name);
    }
    expect(reached).toEqual([]);
  });

  it('asks what a name means once, for the connection itself: a name that changes its mind is refused', async () => {
    const asked: string[] = [];
    const changing = resolver({ 'rebinds.example': [['127.0.0.1'], ['8.8.8.8']] });
    const resolve: Resolve = (hostname, options, callback) => {
      asked.push(hostname);
      changing(hostname, options, callback);
    };
    await blocked(`http://rebinds.example:${port}/`, resolve);
    expect([asked, reached]).toEqual([['rebinds.example'], []]);
  });

  it('reaches what the operator allows, and judges where it leads', async () => {
    const allowedHosts = [`feed.example:${port}`];
    const resolve = resolver({ 'feed.example': [['127.0.0.1']], 'other.example': [['127.0.0.1']] });
    const ask = (path: string) =>
      guardedFetch(`http://feed.example:${port}${path}`, {
        allowedHosts,
        resolve,
        headers: { 'x-key': 'k' },
      });
    expect(await ask('/a')).toMatchObject({ status: 200, body: Buffer.from('answer') });
    expect(await ask(`/?to=/moved`)).toMatchObject({ url: `http://feed.example:${port}/moved` });
    for (const to of [
      `http://127.0.0.1:${port}/inside`,
      `http://0x7f.1:${port}/inside`,
      `//[::1]:${port}/inside`,
      `http://other.example:${port}/inside`,
      'file:///etc/passwd',
      'http://[',
    ]) {
      const redirected = ask(`/?to=${encodeURIComponent(to)}`);
      await expect(redirected, to).rejects.toBeInstanceOf(BlockedUrlError);
    }
    expect(reached.filter((each) => /^[^?]*inside/.test(each))).toEqual([]);
  });

  it('gives headers to the first origin alone, and follows so many redirects', async () => {
    const allowedHosts = [`one.example:${port}`, `two.example:${port}`];
    const resolve = resolver({ 'one.example': [['127.0.0.1']], 'two.example': [['127.0.0.1']] });
    const options = { allowedHosts, resolve, headers: { 'x-key': 'k' } };
    const away = encodeURIComponent(`http://two.example:${port}/end`);
    await guardedFetch(`http://one.example:${port}/?to=${away}`, options);
    expect(reached.map((each) => each.replace(/\?\S*/, ''))).toEqual([
      'one.example/ with key',
      'two.example/end',
    ]);
    const around = `http://one.example:${port}/?to=${encodeURIComponent('/?to=/x')}`;
    await expect(guardedFetch(around, { ...options, maxRedirects: 1 })).rejects.toBeInstanceOf(
      BlockedUrlError,
    );
  });

  it('reads no more than it may, and waits no longer', async () => {
    const allowedHosts = [`127.0.0.1:${port}`];
    const large = guardedFetch(`http://127.0.0.1:${port}/large`, { allowedHosts, maxBytes: 1_000 });
    await expect(large).rejects.toBeInstanceOf(ParseError);
    const slow = guardedFetch(`http://127.0.0.1:${port}/never`, { allowedHosts, timeoutMs: 50 });
    await expect(slow).rejects.toBeInstanceOf(NetworkError);
    const stopped = AbortSignal.abort();
    const aborted = guardedFetch(`http://127.0.0.1:${port}/`, { allowedHosts, signal: stopped });
    await expect(aborted).rejects.toBeInstanceOf(NetworkError);
    const refused = guardedFetch('http://127.0.0.1:1/', { allowedHosts: ['127.0.0.1:1'] });
    await expect(refused).rejects.toBeInstanceOf(NetworkError);
  });
});
