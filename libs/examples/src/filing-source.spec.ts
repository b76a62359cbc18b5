/** What a source that is asked over HTTP may answer, from a server on this machine. */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, NetworkError, ParseError, SourceError } from '@spine/core';
import { loopbackFilings } from './filing-source.ts';

const FILING = { form: '4', company: 'A', cik: '1', date_filed: '2025-01-02', accession: 'x' };
let answer: (response: ServerResponse, url: string) => void = () => undefined;
const server = createServer((request, response) => {
  answer(response, request.url ?? '');
});
let base = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/filings?page=1`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const fetchFilings = (url = base) =>
  loopbackFilings(new URL(url)).fetch({ form: '4', attempt: 1, failFirst: 0 }, AbortSignal.timeout(10_000));

describe('a source on this machine', () => {
  it('is asked for a form, and answers with filings', async () => {
    const asked: string[] = [];
    answer = (response, url) => {
      asked.push(url);
      response.end(JSON.stringify([FILING]));
    };
    expect(await fetchFilings()).toEqual([FILING]);
    expect(asked).toEqual(['/filings?page=1&form=4']);
  });

  it.each([
    ['fails', 503, NetworkError],
    ['asks for patience', 429, NetworkError],
    ['knows nothing', 404, SourceError],
  ])('%s with %i', async (_what, status, error) => {
    answer = (response) => response.writeHead(status).end('sorry');
    await expect(fetchFilings()).rejects.toBeInstanceOf(error);
  });

  it.each([
    ['no JSON', 'sorry'],
    ['no list', '{}'],
    ['what are no filings', JSON.stringify([{ ...FILING, more: 1 }])],
    ['more than it may', ' '.repeat(1_100_000)],
  ])('is refused when it answers %s', async (_what, text) => {
    answer = (response) => response.end(text);
    await expect(fetchFilings()).rejects.toBeInstanceOf(ParseError);
  });

  it('leads nowhere else', async () => {
    const asked: string[] = [];
    answer = (response, url) => {
      asked.push(url);
      response.writeHead(302, { location: '/elsewhere' }).end();
    };
    await expect(fetchFilings()).rejects.toBeInstanceOf(NetworkError);
    expect(asked).toHaveLength(1);
  });

  it.each(['https://127.0.0.1/', 'http://sec.gov/', 'http://10.0.0.1/', 'file:///etc/passwd'])(
    'is not at %s',
    (url) => {
      expect(() => loopbackFilings(new URL(url))).toThrow(ConfigError);
    },
  );
});
