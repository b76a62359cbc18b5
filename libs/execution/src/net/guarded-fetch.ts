/**
 * GET of a URL that somebody else has chosen, without letting them choose what this machine can reach.
 *
 * 1. Only http and https, no user and password in the URL, and only addresses of the public internet, unless the operator
 *    allows a host by its name and port.
 * 2. What is checked is what is connected to: the connection's own look-up is the one that is judged, so that a name cannot
 *    mean another address a moment later. A name with any address that is not public is refused as a whole.
 * 3. Addresses that stand in the URL, in whatever notation, are judged before: no look-up would see them.
 * 4. Each redirect is judged like the first URL; headers are sent to the first origin alone; https does not lead to http.
 * 5. An answer is read up to a limit of bytes and within a time.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { ErrorCategory, isPublicAddress, NetworkError, ParseError, SpineError } from '@spine/core';

/** A URL that is not fetched. Permanent: another attempt would be refused too. */
export class BlockedUrlError extends SpineError {
  constructor(message: string) {
    super(message, { category: ErrorCategory.VALIDATION, retryable: false });
  }
}

/** As `dns.lookup` with `all: true`. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface GuardedFetchOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** `host:port` of hosts that may be reached wherever they are. Of the operator's settings, never of a request's. Default none. */
  readonly allowedHosts?: readonly string[];
  /** Bytes of the answer. Default 10 MiB. */
  readonly maxBytes?: number;
  /** For everything, redirects included. Default 30,000. */
  readonly timeoutMs?: number;
  /** Default 5. */
  readonly maxRedirects?: number;
  readonly signal?: AbortSignal;
  /** Default: that of the system. */
  readonly resolve?: Resolve;
}

export interface GuardedAnswer {
  /** Where the last redirect led. */
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<IncomingMessage['headers']>;
  readonly body: Buffer;
}

const MAX_BYTES = 10 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** `[::1]` as `::1`. */
const bare = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1');

function portOf({ protocol, port }: URL): string {
  return port !== '' ? port : protocol === 'https:' ? '443' : '80';
}

/** @throws BlockedUrlError */
function judged(text: string, allowed: readonly string[]): { url: URL; isAllowed: boolean } {
  // The parser of URLs reads 0x7f.1, 2130706433 and 0177.0.0.1 as the 127.0.0.1 they mean.
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw new BlockedUrlError('what was given is no URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new BlockedUrlError(`${url.protocol} is not fetched; allowed: http: and https:`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new BlockedUrlError('a URL with a user or a password is not fetched');
  }
  const isAllowed = allowed.includes(`${url.hostname}:${portOf(url)}`);
  const host = bare(url.hostname);
  if (!isAllowed && isIP(host) !== 0 && !isPublicAddress(host)) throw notPublic(url.hostname);
  return { url, isAllowed };
}

function notPublic(hostname: string): BlockedUrlError {
  return new BlockedUrlError(`${hostname} is not on the public internet and is not fetched`);
}

/** The look-up of a connection, which fails for what is not public. */
function publicLookup(resolve: Resolve, isAllowed: boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses;
      if (error !== null || first === undefined) {
        callback(error ?? new NetworkError(`${hostname} has no address`), '', 0);
      } else if (!isAllowed && !addresses.every(({ address }) => isPublicAddress(address))) {
        callback(notPublic(hostname), '', 0);
      } else if (options.all === true) {
        callback(null, addresses);
      } else {
        callback(null, first.address, first.family);
      }
    });
  };
}

interface Hop {
  readonly url: URL;
  readonly lookup: LookupFunction;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

function open({ url, lookup, headers, signal }: Hop): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    // A connection of its own: one that is kept was judged for another request.
    const sent = request(url, { lookup, headers, signal, agent: false }, resolve);
    sent.on('error', reject);
    sent.end();
  });
}

async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop ends the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new ParseError(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws BlockedUrlError for where a redirect may not lead. */
function nextUrl(from: URL, location: string): string {
  if (!URL.canParse(location, from.href)) throw new BlockedUrlError('a redirect leads to what is no URL');
  const next = new URL(location, from.href);
  if (from.protocol === 'https:' && next.protocol === 'http:') {
    throw new BlockedUrlError('a redirect from https to http is not followed');
  }
  return next.href;
}

function asNetworkError(error: unknown): unknown {
  if (error instanceof SpineError) return error;
  const isTimeout = error instanceof Error && error.name === 'TimeoutError';
  return new NetworkError(isTimeout ? 'the answer took too long' : 'the address could not be reached', {
    cause: error,
  });
}

/**
 * @param text the URL as it was given.
 * @throws BlockedUrlError for what is not fetched; NetworkError where another attempt may help; ParseError for an answer that
 * is too long. None of them tells what answered, or how.
 */
export async function guardedFetch(text: string, options: GuardedFetchOptions = {}): Promise<GuardedAnswer> {
  const { allowedHosts = [], headers = {}, maxBytes = MAX_BYTES, maxRedirects = MAX_REDIRECTS } = options;
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  const first = judged(text, allowedHosts);
  let { url, isAllowed } = first;
  try {
    for (let redirects = 0; ; redirects += 1) {
      const lookup = publicLookup(options.resolve ?? systemLookup, isAllowed);
      const sent = url.origin === first.url.origin ? headers : {};
      const response = await open({ url, lookup, headers: sent, signal });
      const { statusCode: status = 0, headers: received } = response;
      if (!REDIRECTS.has(status) || received.location === undefined) {
        return { url: url.href, status, headers: received, body: await bodyOf(response, maxBytes) };
      }
      response.destroy();
      if (redirects >= maxRedirects) throw new BlockedUrlError(`more than ${maxRedirects} redirects`);
      ({ url, isAllowed } = judged(nextUrl(url, received.location), allowedHosts));
    }
  } catch (error) {
    throw asNetworkError(error);
  }
}
