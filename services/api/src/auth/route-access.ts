/**
 * What every route asks for, known before the first request: from the endpoints' own declarations, and for the pages here.
 *
 * A route is told by the pattern the router matched, never by the text of the URL. A route that nothing is known of stops
 * the start.
 */
import { RequestMethod } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { z } from 'zod';
import { InvariantError } from '@spine/core';
import type { Route } from '../http/server.ts';
import type { Confinement, EndpointScope } from './scope.ts';

export interface Access {
  readonly scope: EndpointScope;
  /** Absent: refused for keys that are confined to a namespace. */
  readonly confinement: Confinement | undefined;
}

/** Under which the metadata of a handler has its {@link Access}. */
export const ACCESS_METADATA = 'spine:access';

/** Pages for people: browsers offer what was typed into their password dialog. */
const PAGES = {
  '/docs': { scope: 'read', confinement: 'shared' },
  '/admin/queues': { scope: 'read', confinement: undefined },
} as const satisfies Record<string, Access>;

function pageOf(route: string): Access | undefined {
  const found = Object.entries(PAGES).find(([page]) => route === page || route.startsWith(`${page}/`));
  return found?.[1];
}

export function isPage(route: string | undefined): boolean {
  return route !== undefined && pageOf(route) !== undefined;
}

const paths = z.union([z.string(), z.array(z.string())]).optional();

function pathsOf(target: object): string[] {
  return [paths.parse(Reflect.getMetadata(PATH_METADATA, target)) ?? ''].flat();
}

function patternOf(...parts: readonly string[]): string {
  return `/${parts
    .flatMap((part) => part.split('/'))
    .filter((part) => part !== '')
    .join('/')}`;
}

function isAccess(value: unknown): value is Access {
  return typeof value === 'object' && value !== null && 'scope' in value;
}

/** What a pattern has to name for a confinement that the guard looks after. */
const NAMED: Readonly<Partial<Record<Confinement, string>>> = {
  run: ':run_id',
  dead_letter: ':dead_letter_id',
};

function checked(access: Access, pattern: string): Access {
  const named = access.confinement === undefined ? undefined : NAMED[access.confinement];
  if (named !== undefined && !pattern.split('/').includes(named)) {
    throw new InvariantError(`${pattern} is confined by ${named}, which its path does not name`);
  }
  return access;
}

/** The guard's answer for each route. */
export class RouteAccess {
  readonly #byRoute = new Map<string, Access>();

  /** @throws InvariantError for an endpoint that declares nothing. */
  constructor(controllers: readonly Type[]) {
    for (const controller of controllers) this.#add(controller);
  }

  /** Undefined for a route that is not there: it is for whoever has a key, and 404. */
  of(method: string, pattern: string | undefined): Access | undefined {
    if (pattern === undefined) return undefined;
    // A HEAD request is answered by the handler of GET.
    const asked = method === 'HEAD' ? 'GET' : method;
    const declared = this.#byRoute.get(`${asked} ${pattern}`);
    if (declared !== undefined) return declared;
    const page = pageOf(pattern);
    return page === undefined || asked === 'GET' ? page : { ...page, scope: 'admin' };
  }

  /** Patterns whose requests are signed, not keyed. */
  isSigned(method: string, pattern: string | undefined): boolean {
    return this.of(method, pattern)?.scope === 'signed';
  }

  /** @throws InvariantError naming every route that nothing is known of: it would be open to any key. */
  check(routes: readonly Route[]): void {
    const unknown = routes.filter(({ method, pattern }) => this.of(method, pattern) === undefined);
    if (unknown.length === 0) return;
    const named = unknown.map(({ method, pattern }) => `${method} ${pattern}`).join(', ');
    throw new InvariantError(`no scope is declared for ${named}`);
  }

  #add(controller: Type): void {
    const prototype: object = controller.prototype as object;
    for (const [, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      const handler: unknown = value;
      if (typeof handler !== 'function' || !Reflect.hasMetadata(METHOD_METADATA, handler)) continue;
      const method = RequestMethod[Number(Reflect.getMetadata(METHOD_METADATA, handler))] ?? '';
      const access: unknown = Reflect.getMetadata(ACCESS_METADATA, handler);
      for (const base of pathsOf(controller)) {
        for (const path of pathsOf(handler)) {
          const pattern = patternOf(base, path);
          if (!isAccess(access)) throw new InvariantError(`no scope is declared for ${method} ${pattern}`);
          this.#byRoute.set(`${method} ${pattern}`, checked(access, pattern));
        }
      }
    }
  }
}
