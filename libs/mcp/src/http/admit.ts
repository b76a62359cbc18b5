/**
 * Who may speak to the server over HTTP, by the head of the request alone. Pure.
 *
 * Against DNS rebinding: a web page whose name was pointed at this machine still sends its own name as Host, and a page of any
 * other name sends its Origin. Pages are not served at all, so a request with an Origin is refused, whatever it says.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopbackHost } from '@spine/config';

export interface Admission {
  /** Names in Host that are served beside loopback ones; in lower case, without a port. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Whether a request without a key is refused. */
  readonly keyRequired: boolean;
}

export interface RequestHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export type Admitted =
  | { readonly type: 'admitted'; readonly key: string | null }
  | {
      readonly type: 'refused';
      readonly status: 401 | 403 | 404 | 405;
      readonly message: string;
      readonly headers?: Readonly<Record<string, string>>;
    };

/** Where messages go; the specification leaves the path to the server. */
export const MCP_PATH = '/mcp';

const MAX_KEY = 512;

/** The name in a Host header, without brackets and port; null for what is none. */
export function hostName(host: string | undefined): string | null {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host ?? '') ?? [];
  return (bracketed ?? plain)?.toLowerCase() ?? null;
}

function keyOf(authorization: string | undefined): string | null {
  const [, key] = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '') ?? [];
  return key === undefined || key.length > MAX_KEY ? null : key;
}

export const UNAUTHENTICATED = {
  type: 'refused',
  status: 401,
  message: 'an API key is needed: send Authorization: Bearer <key>',
  headers: { 'www-authenticate': 'Bearer realm="spine"' },
} as const satisfies Admitted;

export function admit({ method, url, headers }: RequestHead, admission: Admission): Admitted {
  const name = hostName(headers.host);
  if (name === null || !(isLoopbackHost(name) || admission.allowedHosts.has(name))) {
    return { type: 'refused', status: 403, message: 'this host name is not served: see --allowed-host' };
  }
  if (headers.origin !== undefined) {
    return { type: 'refused', status: 403, message: 'web pages are not served: the request has an Origin' };
  }
  if (url !== MCP_PATH) return { type: 'refused', status: 404, message: `there is ${MCP_PATH} only` };
  if (method !== 'POST') {
    // Nothing is ever sent unasked, and there are no sessions to end: see the specification of the transport.
    const message = 'POST only: this server keeps no sessions and opens no streams of its own';
    return { type: 'refused', status: 405, message, headers: { allow: 'POST' } };
  }
  const key = keyOf(headers.authorization);
  if (key === null && (admission.keyRequired || headers.authorization !== undefined)) return UNAUTHENTICATED;
  return { type: 'admitted', key };
}
