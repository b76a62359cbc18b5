/** Which port the API gets. Pure but for the two questions asked of the network. */
import { ConfigError } from '@spine/core';

export interface PortWish {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** True when the user named it, so that another one would surprise. */
  readonly explicit: boolean;
}

export interface PortProbes {
  readonly isPortFree: (port: number, host: string) => Promise<boolean>;
  readonly anyFreePort: (host: string) => Promise<number>;
}

export interface PortChoice {
  readonly port: number;
  /** What to tell the user when it is not the one wished for. */
  readonly note: string | undefined;
}

/** How far above a busy default port a free one is looked for. */
const SPAN = 20;

/** @throws ConfigError when the port the user named is taken, or none near the default is free. */
export async function chooseApiPort(wish: PortWish, probes: PortProbes): Promise<PortChoice> {
  const { host, port, explicit } = wish;
  if (port === 0) return { port: await probes.anyFreePort(host), note: undefined };
  if (await probes.isPortFree(port, host)) return { port, note: undefined };
  if (explicit) {
    throw new ConfigError(
      `SPINE_PORT: port ${port} of ${host} is in use by another program (or not permitted). ` +
        `Stop that program, or name another port: SPINE_PORT=${port < 65_535 ? port + 1 : port - 1}; ` +
        'SPINE_PORT=0 takes any free one.',
    );
  }
  for (let next = port + 1; next <= Math.min(port + SPAN, 65_535); next++) {
    if (await probes.isPortFree(next, host)) {
      return { port: next, note: `port ${port} is in use, taking ${next} instead (SPINE_PORT names one)` };
    }
  }
  throw new ConfigError(
    `SPINE_PORT: the ports ${port} to ${port + SPAN} of ${host} are all in use. ` +
      'Name a free one with SPINE_PORT, or SPINE_PORT=0 for any.',
  );
}
