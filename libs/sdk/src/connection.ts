/** What resources make their calls with: the generated client over the transport. */
import { SpineAnswerError, SpineConfigError } from './errors.ts';
import { SpineApi } from './generated/index.ts';
import { createClient, createConfig } from './generated/client/index.ts';
import { foreignAnswer } from './http/answers.ts';
import type { Transport } from './http/transport.ts';

/** Of one call; they take the place of the client's. */
export interface CallOptions {
  /** Ends the call with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Of each attempt, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** Further attempts, of a call that may be repeated. */
  readonly retries?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Of a call that changes a definition. */
export interface ChangeOptions extends CallOptions {
  /** The `version` that was read: when it is another by now, nothing is changed and the call throws CONFLICT. */
  readonly ifMatch?: number | undefined;
}

export interface Connection {
  readonly api: SpineApi;
  readonly transport: Transport;
  /**
   * Options of the generated functions.
   * @param repeatable that serving the call twice is serving it once, whatever its method
   */
  call(options: ChangeOptions | undefined, repeatable?: true): GeneratedOptions;
}

export interface GeneratedOptions {
  readonly throwOnError: true;
  readonly fetch: typeof fetch;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export function connect(transport: Transport): Connection {
  const client = createClient(
    createConfig({ baseUrl: transport.baseUrl, fetch: transport.fetchWith({}), throwOnError: true }),
  );
  client.interceptors.request.use((request, { path }) => {
    checkPath(path ?? {});
    return request;
  });
  client.interceptors.error.use((error, response) =>
    error instanceof SyntaxError && response !== undefined ? foreignAnswer(response, '', error) : error,
  );
  return {
    api: new SpineApi({ client }),
    transport,
    call: (options = {}, repeatable) => {
      const { signal, timeoutMs, retries, headers, ifMatch } = options;
      return {
        throwOnError: true,
        fetch: transport.fetchWith({ timeoutMs, retries, repeatable }),
        headers: { ...headers, ...(ifMatch === undefined ? {} : { 'If-Match': `"${ifMatch}"` }) },
        ...(signal === undefined ? {} : { signal }),
      };
    },
  };
}

/**
 * An address loses these parts, and what is left may be another endpoint: `/dlq/../replay`.
 * @throws SpineConfigError
 */
function checkPath(path: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(path)) {
    if (value === '' || value === '.' || value === '..') {
      throw new SpineConfigError(`${name} is ${JSON.stringify(value)}, which names nothing`);
    }
  }
}

/** What a call of a generated function answers with. */
export interface Answered<E> {
  readonly data: E;
  readonly response: Response;
}

/** The data of a success. @throws SpineAnswerError for JSON that is no answer of a Spine API */
export async function dataOf<E extends { data: unknown }>(answer: Promise<Answered<E>>): Promise<E['data']> {
  return enveloped(await answer).data;
}

/** A success as it came. @throws SpineAnswerError for JSON that is no answer of a Spine API */
export function enveloped<E extends { data: unknown }>({ data, response }: Answered<E>): E {
  if (typeof data === 'object' && data !== null && 'data' in data) return data;
  throw new SpineAnswerError(
    `answered ${response.status} without "data": this is no Spine API, or one of another version`,
    response.status,
  );
}
