import { createServer } from 'node:net';

/** True when nobody listens on this TCP port of this address now. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.unref();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port that the operating system calls free. It may be taken before it is used: callers retry. */
export function anyFreePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.unref();
    probe.once('error', reject);
    probe.listen({ port: 0, host, exclusive: true }, () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/**
 * The first free port of `preferred`, preferred + 1, ... preferred + span; undefined when all are taken.
 * `span` defaults to 20.
 */
export async function nextFreePort(
  preferred: number,
  span = 20,
  host = '127.0.0.1',
): Promise<number | undefined> {
  for (let port = preferred; port <= Math.min(preferred + span, 65535); port++) {
    if (await isPortFree(port, host)) return port;
  }
  return undefined;
}
