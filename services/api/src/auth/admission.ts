/**
 * Who may pass. Decided before routing has any effect, for every request: known routes, unknown ones, the documentation
 * and the board, which are outside of Nest's routing.
 *
 * 1. Deny by default: with keys configured, everything but what is declared open or signed asks for one, and what a route
 *    asks for is known before the first request (see route-access.ts).
 * 2. What a route is is told by the pattern the router matched, never by the text of the URL.
 * 3. A missing, an unknown, a wrong, a revoked and an expired key get the same answer.
 * 4. A key without the scope, or confined to a namespace at an endpoint that knows none, gets 403, which says what is
 *    missing. What is of another namespace gets 404, as what is not there.
 * 5. An address that offers many wrong keys is answered 429 without a look at the keys it offers, but for those that were good
 *    lately. Each wrong key counts, also beside a good one.
 * 6. An answer that goes on for long ends with the key it was asked for with (see lasting.ts).
 */
import type { FastifyRequest } from 'fastify';
import type { Settings } from '@spine/config';
import { satisfiesScope } from '@spine/core';
import type { Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import { HttpProblem } from '../http/problem.ts';
import { toProblem } from '../http/to-problem.ts';
import { offeredKeys } from './credentials.ts';
import { digestOf } from './digest.ts';
import { namesLoopback } from './host-check.ts';
import type { KeyDirectory } from './key-directory.ts';
import { askAgainWith } from './lasting.ts';
import { attachPrincipal, LOCAL } from './principal.ts';
import type { Principal } from './principal.ts';
import { rateLimitHeaders } from './rate-limits.ts';
import type { RateLimits, Standing } from './rate-limits.ts';
import { RecentlyGood } from './recently-good.ts';
import { isPage } from './route-access.ts';
import type { Access, RouteAccess } from './route-access.ts';
import { mustSeeDeadLetter, mustSeeRun } from './run-scope.ts';
import { StaticKeys } from './static-keys.ts';

export interface Verdict {
  /** Null: it may pass. */
  readonly problem: HttpProblem | null;
  /** Of the answer, whatever it is. */
  readonly headers: Readonly<Record<string, string>>;
}

export type Admission = (request: FastifyRequest) => Verdict | Promise<Verdict>;

export interface AdmissionOptions {
  readonly settings: Settings['api'];
  readonly access: RouteAccess;
  readonly keys: KeyDirectory;
  readonly limits: RateLimits;
  /** Where it is looked up whose a run is. */
  readonly db: Queryable;
  readonly logger: Logger;
}

const PASS: Verdict = { problem: null, headers: {} };

function refuse(problem: HttpProblem, headers: Verdict['headers'] = {}): Verdict {
  return { problem, headers };
}

/** Local mode: everybody on this machine, but no web page that only pretends to be on it. */
function admitLocal(): Admission {
  // Nearly every request names the same host.
  let good: string | undefined;
  return (request) => {
    const { host } = request.headers;
    if (host === undefined || host !== good) {
      if (!namesLoopback(host)) {
        return refuse(
          new HttpProblem(
            'FORBIDDEN',
            'the API runs in local mode and answers only to localhost and loopback addresses; set SPINE_API_KEYS to serve other names',
          ),
        );
      }
      good = host;
    }
    attachPrincipal(request, LOCAL);
    return PASS;
  };
}

function unauthenticated(page: boolean, headers: Verdict['headers']): Verdict {
  return refuse(
    new HttpProblem(
      'UNAUTHENTICATED',
      'send an API key as Authorization: Bearer <key> or as X-API-Key: <key>',
    ),
    {
      ...headers,
      'www-authenticate': page ? 'Basic realm="spine", charset="UTF-8"' : 'Bearer realm="spine"',
    },
  );
}

function tooMany(standing: Standing, what: string): Verdict {
  const detail = `${what}; the limit is ${standing.limit} a minute`;
  const problem = new HttpProblem('RATE_LIMITED', detail, {
    retryAfterSeconds: Math.max(1, standing.resetSeconds),
  });
  return refuse(problem, rateLimitHeaders(standing));
}

function outOfScope(principal: Principal, needed: string): HttpProblem {
  return new HttpProblem(
    'FORBIDDEN',
    `this asks for the scope ${needed}; the key has ${principal.scopes.join(', ')}`,
    { members: { required_scope: needed } },
  );
}

class Guard {
  readonly #options: AdmissionOptions;
  readonly #static: StaticKeys;
  readonly #good = new RecentlyGood();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#static = new StaticKeys(options.settings.keys);
  }

  async admit(request: FastifyRequest): Promise<Verdict> {
    const { access: routes, limits } = this.#options;
    const route = request.routeOptions.url;
    const access = routes.of(request.method, route);
    if (access?.scope === 'open') return PASS;
    if (access?.scope === 'signed') return this.#within(await limits.count(request));
    const page = isPage(route);
    const found = await this.#identify(offeredKeys(request.headers, page), request);
    if (found instanceof Unidentified) return found.verdict;
    if (found === null) {
      const standing = await limits.count(request);
      if (standing?.exceeded === true) return this.#within(standing);
      return unauthenticated(page, {});
    }
    attachPrincipal(request, found);
    const within = this.#within(await limits.count(request));
    if (within.problem !== null) return within;
    return { problem: await this.#forbidden(request, found, access), headers: within.headers };
  }

  #within(standing: Standing | null): Verdict {
    if (standing === null) return PASS;
    if (standing.exceeded) return tooMany(standing, 'too many requests');
    return { problem: null, headers: rateLimitHeaders(standing) };
  }

  /** Null: no key that is good. */
  async #identify(
    offered: readonly string[],
    request: FastifyRequest,
  ): Promise<Principal | Unidentified | null> {
    if (offered.length === 0) return null;
    const { limits } = this.#options;
    const digests = offered.map((text) => ({ text, digest: digestOf(text) }));
    // Only who offers a key that was not good lately is looked at for guessing.
    const isNew = digests.some(({ digest }) => !this.#good.has(digest));
    const guesses = isNew ? await limits.wrongKeys(request, false) : null;
    const mayTry = guesses?.exceeded !== true;
    let standing: Standing | null = null;
    for (const { text, digest } of digests) {
      if (mayTry || this.#good.has(digest)) {
        const principal = await this.#find(text, digest);
        if (principal instanceof Unidentified) return principal;
        if (principal !== null) {
          this.#good.add(digest);
          askAgainWith(request, () => this.#opensStill(text, digest));
          return principal;
        }
      }
      standing = await limits.wrongKeys(request, true);
    }
    return standing?.exceeded === true ? new Unidentified(tooMany(standing, 'too many wrong keys')) : null;
  }

  /** A key that cannot be looked up is not over: while the database is away there is nothing to tell either. */
  async #opensStill(text: string, digest: Buffer): Promise<boolean> {
    return (await this.#find(text, digest)) !== null;
  }

  async #find(text: string, digest: Buffer): Promise<Principal | Unidentified | null> {
    const fixed = this.#static.find(digest);
    if (fixed !== null) return fixed;
    try {
      return await this.#options.keys.find(text, digest);
    } catch (error) {
      this.#options.logger.warn({ err: error, request_kind: 'auth' }, 'a key could not be looked up');
      return new Unidentified(refuse(toProblem(error)));
    }
  }

  async #forbidden(
    request: FastifyRequest,
    principal: Principal,
    access: Access | undefined,
  ): Promise<HttpProblem | null> {
    // A route that is not there tells nothing: 404 follows.
    if (access === undefined) return null;
    const { scope, confinement } = access;
    if (scope !== 'open' && scope !== 'signed' && !satisfiesScope(principal.scopes, scope)) {
      return outOfScope(principal, scope);
    }
    const { namespace } = principal;
    if (namespace === null) return null;
    try {
      await this.#confine(request, namespace, confinement);
      return null;
    } catch (error) {
      return toProblem(error);
    }
  }

  async #confine(
    { params }: FastifyRequest,
    namespace: string,
    confinement: Access['confinement'],
  ): Promise<void> {
    const { db } = this.#options;
    switch (confinement) {
      case undefined:
        throw new HttpProblem(
          'FORBIDDEN',
          `the key is confined to the namespace ${namespace}, and this endpoint is about more than runs of one namespace`,
        );
      case 'run':
        return mustSeeRun(db, { namespace }, pathValue(params, 'run_id'));
      case 'dead_letter':
        return mustSeeDeadLetter(db, { namespace }, pathValue(params, 'dead_letter_id'));
      case 'filtered':
      case 'shared':
        return;
    }
  }
}

/** Nobody, and why nothing more is asked. */
class Unidentified {
  readonly verdict: Verdict;

  constructor(verdict: Verdict) {
    this.verdict = verdict;
  }
}

function pathValue(params: unknown, name: string): string {
  const value: unknown =
    typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined;
  return typeof value === 'string' ? value : '';
}

export function createAdmission(options: AdmissionOptions): Admission {
  if (options.settings.open) return admitLocal();
  const guard = new Guard(options);
  return (request) => guard.admit(request);
}
