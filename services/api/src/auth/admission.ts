/**
 * Who may pass. Decided before routing has any effect, for every request: known routes, unknown ones, the documentation
 * and the board, which are outside of Nest's routing.
 *
 * 1. Deny by default: with keys configured, everything but the health endpoints and signed webhooks asks for one.
 * 2. What a route is is told by the pattern the router matched, never by the text of the URL.
 * 3. A missing and a wrong key get the same answer.
 */
import type { FastifyRequest } from 'fastify';
import type { Settings } from '@spine/config';
import { HttpProblem } from '../http/problem.ts';
import { ApiKeys } from './api-keys.ts';
import { offeredKeys } from './credentials.ts';
import { namesLoopback } from './host-check.ts';

/** Asked by load balancers and container engines, which hold no key; they tell nothing of the data. */
export const OPEN_ROUTES: ReadonlySet<string> = new Set(['/health', '/health/live', '/health/ready']);

/** What asks for a signature of its own, over its body. */
export const SIGNED_ROUTES: ReadonlySet<string> = new Set(['/api/v1/webhooks/trigger/:name']);

/** Pages for people: browsers offer what was typed into their password dialog. */
const PAGES = ['/docs', '/admin/queues'] as const;

export function isPage(route: string | undefined): boolean {
  return route !== undefined && PAGES.some((page) => route === page || route.startsWith(`${page}/`));
}

export interface Refusal {
  readonly problem: HttpProblem;
  readonly headers: Readonly<Record<string, string>>;
}

export type Admission = (request: FastifyRequest) => Refusal | null;

/** Local mode: everybody on this machine, but no web page that only pretends to be on it. */
function admitLocal(): Admission {
  // Nearly every request names the same host.
  let good: string | undefined;
  return ({ headers: { host } }) => {
    if (host !== undefined && host === good) return null;
    if (namesLoopback(host)) {
      good = host;
      return null;
    }
    const problem = new HttpProblem(
      'FORBIDDEN',
      'the API runs in local mode and answers only to localhost and loopback addresses; set SPINE_API_KEYS to serve other names',
    );
    return { problem, headers: {} };
  };
}

function refuse(page: boolean): Refusal {
  return {
    problem: new HttpProblem(
      'UNAUTHENTICATED',
      'send an API key as Authorization: Bearer <key> or as X-API-Key: <key>',
    ),
    headers: { 'www-authenticate': page ? 'Basic realm="spine", charset="UTF-8"' : 'Bearer realm="spine"' },
  };
}

export function createAdmission(settings: Settings['api']): Admission {
  if (settings.open) return admitLocal();
  const keys = new ApiKeys(settings.keys);
  return (request) => {
    const route = request.routeOptions.url;
    if (route !== undefined && (OPEN_ROUTES.has(route) || SIGNED_ROUTES.has(route))) return null;
    const page = isPage(route);
    return offeredKeys(request.headers, page).some((key) => keys.accepts(key)) ? null : refuse(page);
  };
}
