/**
 * Against DNS rebinding: in local mode the API asks for no key, so a web page whose name was re-pointed at 127.0.0.1
 * could use it. Such a request still carries the page's name in its Host header.
 */
import { isLoopbackHost } from '@spine/config';

/** Whether a Host header names this machine: localhost or a loopback address, any port. */
export function namesLoopback(host: string | undefined): boolean {
  if (host === undefined) return false;
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host);
  const name = match?.[1] ?? match?.[2];
  return name !== undefined && isLoopbackHost(name);
}
