/**
 * Requests over `fetch`.
 *
 * 1. A request is sent again only where serving it twice is serving it once: its method is idempotent, or whoever makes it
 * says so because it carries an idempotency key. 2. An attempt that has not answered in time, body included, is given up;
 * the caller's signal ends everything at once with its own reason. 3. The key is sent to `baseUrl` only: redirects are
 * not followed, and no error names it.
 */
import {
  SpineAnswerError,
  SpineConfigError,
  SpineConnectionError,
  SpineProblem,
  SpineTimeoutError,
} from '../errors.ts';
import { errorOf, foreignAnswer, isExpected } from './answers.ts';
import { deadline, sleep } from './deadline.ts';
import { isRepeatable, retryDelayMs } from './retry-policy.ts';
import type { Failure, RetryPolicy } from './retry-policy.ts';
import { whole } from './whole.ts';

export interface TransportOptions {
  readonly baseUrl: string;
  readonly apiKey: () => string | null | Promise<string | null>;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SendOptions {
  /** Of each attempt. */
  readonly timeoutMs?: number | undefined;
  readonly retries?: number | undefined;
  /** Default: by the method. */
  readonly repeatable?: boolean | undefined;
}

interface Attempt {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | undefined;
}

export class Transport {
  readonly baseUrl: string;
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.baseUrl = options.baseUrl;
    this.#options = options;
  }

  /**
   * A `fetch` for the generated client, which gives it a Request.
   * @throws SpineProblem, SpineConnectionError, SpineAnswerError, or the reason of the request's signal
   */
  fetchWith(options: SendOptions): typeof fetch {
    return async (input, init) => {
      const request = new Request(input, init);
      const text = request.method === 'GET' || request.method === 'HEAD' ? '' : await request.text();
      const { url, method, headers, signal } = request;
      return this.#send({ url, method, headers, body: text === '' ? undefined : text }, signal, options);
    };
  }

  /**
   * A GET whose body is read as it comes. Tried once.
   * @param signal ends also the reading
   * @throws as `fetchWith`
   */
  async open(path: string, own: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    const headers = await this.#headers(new Headers(own));
    const { timeoutMs, fetch: send } = this.#options;
    // Until the answer begins; how long it may be silent after that is the reader's to say.
    const head = deadline(timeoutMs, signal);
    const whole = new AbortController();
    head.signal.addEventListener('abort', () => whole.abort(signal.reason), { once: true });
    signal.addEventListener('abort', () => whole.abort(signal.reason), { once: true });
    try {
      signal.throwIfAborted();
      const init: RequestInit = { headers, redirect: 'manual', signal: whole.signal };
      const response = await send(`${this.baseUrl}${path}`, init);
      if (!response.ok) throw errorOf(response, await response.text());
      return response;
    } catch (error) {
      throw this.#faultOf(error, head.isOver(), timeoutMs, signal);
    } finally {
      head.clear();
    }
  }

  async #send(attempt: Attempt, signal: AbortSignal, options: SendOptions): Promise<Response> {
    const { retry } = this.#options;
    const timeoutMs = whole('timeoutMs', options.timeoutMs ?? this.#options.timeoutMs, 1);
    const retries = whole('retries', options.retries ?? retry.retries, 0);
    const repeatable = options.repeatable ?? isRepeatable(attempt.method, attempt.headers);
    const policy = { ...retry, retries: repeatable ? retries : 0 };
    for (let n = 1; ; n += 1) {
      let fault: unknown;
      try {
        return await this.#once(attempt, signal, timeoutMs);
      } catch (error) {
        fault = error;
      }
      const failure = failureOf(fault);
      const delay = failure === null ? null : retryDelayMs(failure, n, policy, Math.random());
      if (delay === null) throw fault;
      await sleep(delay, signal);
    }
  }

  async #once(attempt: Attempt, signal: AbortSignal, timeoutMs: number): Promise<Response> {
    // Browsers refuse a fetch that is called as a method.
    const { fetch: send } = this.#options;
    const headers = await this.#headers(attempt.headers);
    const limit = deadline(timeoutMs, signal);
    try {
      limit.signal.throwIfAborted();
      const { url, method, body } = attempt;
      const response = await send(url, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        redirect: 'manual',
        signal: limit.signal,
      });
      const text = await response.text();
      if (!response.ok) throw errorOf(response, text);
      if (!isExpected(response)) throw foreignAnswer(response, text);
      return new Response(response.status === 204 ? null : text, response);
    } catch (error) {
      throw this.#faultOf(error, limit.isOver(), timeoutMs, signal);
    } finally {
      limit.clear();
    }
  }

  /** What a caller is told for what `fetch` has thrown. */
  #faultOf(error: unknown, timedOut: boolean, timeoutMs: number, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof SpineProblem || error instanceof SpineAnswerError) return error;
    const { baseUrl } = this;
    if (timedOut) return new SpineTimeoutError(`${baseUrl} did not answer within ${timeoutMs} ms`);
    return new SpineConnectionError(`${baseUrl} did not answer: ${reasonOf(error)}`, { cause: error });
  }

  async #headers(own: Headers): Promise<Headers> {
    const headers = new Headers(this.#options.headers);
    own.forEach((value, name) => headers.set(name, value));
    const key = checkedKey(await this.#options.apiKey());
    if (key !== null) headers.set('authorization', `Bearer ${key}`);
    return headers;
  }
}

/** A key with a line break or the like would be repeated by the error of `Headers`. */
function checkedKey(key: string | null): string | null {
  if (key === null || /^[\x21-\x7e]+$/.test(key)) return key;
  throw new SpineConfigError('apiKey holds characters that no API key has, such as a space or a line break');
}

/** What a fault means for another attempt; null for one that another attempt would meet again. */
export function failureOf(fault: unknown): Failure | null {
  if (fault instanceof SpineConnectionError) return { type: 'no_answer' };
  if (fault instanceof SpineProblem) {
    return { type: 'status', status: fault.status, retryAfterMs: fault.retryAfterMs };
  }
  // A proxy's page may carry the status of something that passes.
  if (fault instanceof SpineAnswerError) return { type: 'status', status: fault.status, retryAfterMs: null };
  return null;
}

/** `fetch` says "fetch failed" and keeps why in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
