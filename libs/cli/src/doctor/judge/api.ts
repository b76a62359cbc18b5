/** What the API's answers mean. */
import { assertNever } from '@spine/core';
import type { UrlOrigin } from '../../frame/context.ts';
import { findingsOf, some } from '../finding.ts';
import type { Finding } from '../finding.ts';

const { ok, info, warning, error } = findingsOf('api');

export type ApiAnswer =
  | { readonly type: 'healthy'; readonly version: string; readonly latencyMs: number }
  /** It answers, and what it stands on does not. */
  | { readonly type: 'degraded'; readonly down: readonly string[] }
  | { readonly type: 'unreachable'; readonly why: string };

/** Open: the API asks nobody for a key. Refused: there is none, or not one of this API. */
export type KeyAnswer = 'open' | 'accepted' | 'refused';

export interface ApiAddress {
  readonly url: string;
  readonly origin: UrlOrigin;
}

export interface ApiFacts extends ApiAddress {
  readonly answer: ApiAnswer;
  /** Null where the API did not get as far. */
  readonly key: KeyAnswer | null;
}

const SAID_BY: Readonly<Record<UrlOrigin, string>> = {
  option: 'of --url',
  settings: 'of SPINE_URL',
  launcher: 'started here, says launcher.json of the data directory',
  default: 'the default: SPINE_URL is not set, and nothing was started in this folder',
};

export function judgeApi({ url, origin, answer, key }: ApiFacts): Finding[] {
  const place = `${url} (${SAID_BY[origin]})`;
  const measured = { url, origin };
  switch (answer.type) {
    case 'unreachable':
      return [
        error(
          'api_reachable',
          { message: `${place} cannot be used: ${answer.why}`, measured },
          'spine start, or name the API in SPINE_URL or --url',
        ),
      ];
    case 'degraded':
      return [
        ok('api_reachable', { message: `${place} answers`, measured }),
        error(
          'api_dependencies',
          { message: `the API cannot reach its ${some(answer.down)}`, measured: { down: answer.down } },
          'look at the findings of database and redis, and at the settings of the API',
        ),
      ];
    case 'healthy': {
      const { version, latencyMs } = answer;
      return [
        ok('api_reachable', {
          message: `${place} answers in ${latencyMs} ms, version ${version}`,
          measured: { ...measured, version, latency_ms: latencyMs },
        }),
        ...(key === null ? [] : [judgeKey(key)]),
      ];
    }
    default:
      return assertNever(answer);
  }
}

function judgeKey(key: KeyAnswer): Finding {
  const measured = { key };
  switch (key) {
    case 'open':
      return info('api_key', { message: 'the API is open: no key is asked for (local mode)', measured });
    case 'accepted':
      return ok('api_key', { message: 'the key is accepted', measured });
    case 'refused':
      return warning(
        'api_key',
        { message: 'the API asks for a key, and accepts none from here', measured },
        'set SPINE_API_KEY, or give --key-file, with a key of this API: spine keys create makes one',
      );
    default:
      return assertNever(key);
  }
}

export interface Versions {
  readonly program: string;
  /** Null where it is not known. */
  readonly api: string | null;
  /** Of live workers. */
  readonly workers: readonly string[];
}

/** Whether all who work on one database are of one version. */
export function judgeVersions({ program, api, workers }: Versions): Finding {
  const of: readonly (readonly [string, string])[] = [
    ['this program', program],
    ...(api === null ? [] : [['API', api] as const]),
    ...workers.map((version) => ['worker', version] as const),
  ];
  const measured = { program, api, workers };
  if (new Set(of.map(([, version]) => version)).size === 1) {
    return ok('api_version', { message: `${some(of.map(([who]) => who))}: all ${program}`, measured });
  }
  return warning(
    'api_version',
    { message: `different versions: ${some(of.map(([who, version]) => `${who} ${version}`))}`, measured },
    'deploy one version everywhere; between two neighbours work goes on',
  );
}
