/** Where I5 fetches filings from: a source in this process that fails when it is told to, or a server on this machine. */
import { isLoopbackHost } from '@spine/config';
import { ConfigError, NetworkError, ParseError, SourceError } from '@spine/core';
import { filings, readFilings } from './filing-index.ts';
import type { Filing } from './filing-index.ts';

export interface FilingRequest {
  readonly form: string;
  /** 1 for the first attempt of the step. */
  readonly attempt: number;
  /** Attempts that a source which can be told so fails. */
  readonly failFirst: number;
}

export interface FilingSource {
  /**
   * The filings of a form.
   * @throws NetworkError where another attempt may help; SourceError or ParseError where it does not.
   */
  fetch(request: FilingRequest, signal: AbortSignal): Promise<readonly Filing[]>;
}

/** Fails the first attempts, as many as the request says; then the filings that come with the examples. */
export const flakyFilings: FilingSource = {
  fetch: async ({ form, attempt, failFirst }) => {
    if (attempt <= failFirst) throw new NetworkError(`attempt ${attempt}: the filings could not be reached`);
    return (await readFilings()).filter((each) => each.form === form);
  },
};

/** Longest answer that is read, in bytes. */
const MAX_ANSWER = 1_048_576;

/**
 * `GET {base}?form=…` of a server on this machine, which answers a JSON list of filings. No redirect is followed: it could
 * lead elsewhere.
 *
 * @throws ConfigError for an address that is not plain HTTP on this machine.
 */
export function loopbackFilings(base: URL): FilingSource {
  const host = base.hostname.replace(/^\[(.*)\]$/, '$1');
  if (base.protocol !== 'http:' || !isLoopbackHost(host)) {
    throw new ConfigError(`filings are not fetched from ${base.origin}; allowed: http:// on this machine`);
  }
  return {
    fetch: async ({ form }, signal) => {
      const url = new URL(base);
      url.searchParams.set('form', form);
      const response = await fetch(url, { signal, redirect: 'error' }).catch((error: unknown) => {
        throw new NetworkError('the filings could not be reached', { cause: error });
      });
      if (response.status >= 500 || response.status === 429) {
        await response.body?.cancel();
        throw new NetworkError(`the filings answered ${response.status}`);
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw new SourceError(`the filings answered ${response.status}`, { retryable: false });
      }
      return read(await textOf(response));
    },
  };
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const stream: AsyncIterable<Uint8Array> | null = body;
  if (stream === null) return '';
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    // Leaving the loop closes the connection.
    if (bytes > MAX_ANSWER) throw new ParseError(`the answer is longer than ${MAX_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function read(text: string): readonly Filing[] {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new ParseError('the answer is no JSON', { cause: error });
  }
  const parsed = filings.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ParseError('the answer is no list of filings');
}
