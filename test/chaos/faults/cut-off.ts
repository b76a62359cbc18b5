/** One worker cut off from one server, while everybody else reaches it. */
import type { TcpProxy } from '../bed/tcp-proxy.ts';
import type { Bed } from '../bed/bed.ts';
import type { Service } from '../bed/deployment.ts';
import { pause, until } from '../pause.ts';
import type { Random } from '../random.ts';
import { LEASE_LOST_SECONDS, longRuns, untilItHolds } from './processes.ts';
import type { Fault } from './fault.ts';

/** How a network fails. */
const MANNERS = [
  /** Connections are refused and broken. */
  'refused',
  /** Packets are lost for a while and then arrive, late. */
  'late',
  /** Packets are lost, and then the connections break. */
  'broken',
  /** The connections under way are forgotten by something between; new ones work. */
  'forgotten',
] as const;
type Manner = (typeof MANNERS)[number];

async function cut(proxy: TcpProxy, manner: Manner, signal: AbortSignal): Promise<void> {
  switch (manner) {
    case 'refused':
      proxy.set('refuse');
      break;
    case 'late':
    case 'broken':
      proxy.set('hold');
      break;
    case 'forgotten':
      proxy.abandon();
      break;
  }
  await until(() => false, signal, 1_000);
  if (manner === 'broken') proxy.reset();
  proxy.set('open');
}

function cutOff(server: 'postgres' | 'redis', manners: readonly Manner[]): Fault['inject'] {
  return async (bed: Bed, random: Random, signal: AbortSignal) => {
    const victim: Service = random.pick(bed.workers);
    const manner = random.pick(manners);
    await pause(random.int(100, 500), signal);
    bed.count('runs held by the worker', await untilItHolds(bed, victim, signal));
    bed.count(`cut off, ${manner}`);
    await cut(victim[server], manner, signal);
  };
}

const nothingToHeal = (): Promise<void> => Promise.resolve();

export const workerWithoutPostgres: Fault = {
  what: 'a worker cut off from Postgres alone, past its leases',
  seconds: { full: LEASE_LOST_SECONDS, short: LEASE_LOST_SECONDS },
  losesLeases: true,
  specialRuns: longRuns,
  inject: cutOff('postgres', MANNERS),
  heal: nothingToHeal,
};

export const workerWithoutRedis: Fault = {
  what: 'a worker cut off from Redis alone',
  losesLeases: false,
  inject: cutOff('redis', MANNERS),
  heal: nothingToHeal,
};
