/** What the API answers. */
import { isProblem, SpineAnswerError, SpineConnectionError, SpineTimeoutError } from '@spine/sdk';
import type { CallOptions, SpineClient } from '@spine/sdk';
import type { ApiAddress, ApiAnswer, ApiFacts, KeyAnswer } from '../judge/api.ts';
import type { Clean } from '../scrub.ts';

export interface ApiPlace extends ApiAddress {
  readonly client: SpineClient;
}

export interface AskApi {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clean: Clean;
}

/** Names of the dependencies that are down, of a problem's members. */
function downOf(dependencies: unknown): string[] {
  if (typeof dependencies !== 'object' || dependencies === null) return [];
  return Object.entries(dependencies).flatMap(([name, state]: [string, unknown]) =>
    typeof state === 'object' && state !== null && 'status' in state && state.status === 'down' ? [name] : [],
  );
}

async function healthOf({ client }: ApiPlace, options: CallOptions, clean: Clean): Promise<ApiAnswer> {
  const from = performance.now();
  try {
    const { version } = await client.health.get(options);
    return { type: 'healthy', version, latencyMs: Math.round((performance.now() - from) * 10) / 10 };
  } catch (error) {
    if (isProblem(error)) {
      const down = downOf(error.members['dependencies']);
      return down.length > 0 ? { type: 'degraded', down } : { type: 'unreachable', why: clean(error.detail) };
    }
    if (
      error instanceof SpineConnectionError ||
      error instanceof SpineTimeoutError ||
      error instanceof SpineAnswerError
    ) {
      return { type: 'unreachable', why: clean(error.message) };
    }
    throw error;
  }
}

async function keyOf({ client }: ApiPlace, options: CallOptions): Promise<KeyAnswer> {
  try {
    return (await client.capabilities(options)).mode === 'open' ? 'open' : 'accepted';
  } catch (error) {
    if (isProblem(error) && error.status === 401) return 'refused';
    // A key without the scope for this is one of this API all the same.
    if (isProblem(error) && error.status === 403) return 'accepted';
    throw error;
  }
}

export async function askApi(place: ApiPlace, { timeoutMs, signal, clean }: AskApi): Promise<ApiFacts> {
  const options: CallOptions = { timeoutMs, signal, retries: 0 };
  const answer = await healthOf(place, options, clean);
  const { url, origin } = place;
  return { url, origin, answer, key: answer.type === 'healthy' ? await keyOf(place, options) : null };
}
