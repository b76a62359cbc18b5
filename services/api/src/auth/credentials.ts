import type { IncomingHttpHeaders } from 'node:http';

/** The keys a request offers. `Basic` counts only where a browser asks a person: `withBasic`. */
export function offeredKeys(headers: IncomingHttpHeaders, withBasic: boolean): string[] {
  const keys: string[] = [];
  const header = headers['x-api-key'];
  if (typeof header === 'string') keys.push(header);
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(/ +/, 2);
  if (scheme.toLowerCase() === 'bearer') keys.push(value);
  if (withBasic && scheme.toLowerCase() === 'basic') {
    const decoded = Buffer.from(value, 'base64').toString('utf8');
    // Any user name: the key is the password.
    keys.push(decoded.slice(decoded.indexOf(':') + 1));
  }
  return keys;
}
