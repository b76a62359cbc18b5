/** Mixed reads and submits over HTTP from this process: so many connections, each asking again when it has its answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpConnection } from './http-connection.ts';
import { VoidMeasurementError } from './model.ts';

/** One kind of request. */
export interface Ask {
  readonly name: string;
  /** How often it is asked, against the others. */
  readonly weight: number;
  readonly method: 'GET' | 'POST';
  /** Chosen anew for each request. */
  readonly path: () => string;
  readonly body?: string;
  readonly expect: number;
  /** Whether an answer is what was asked for; looked at once in {@link CHECK_EVERY}. */
  readonly isRight: (data: unknown) => boolean;
}

export interface MixedLoad {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly asks: readonly Ask[];
  /** Requests a second over all connections; default as many as go. */
  readonly rate?: number;
}

export interface MixedResult {
  /** Milliseconds of every answer, by the name of what was asked. */
  readonly times: ReadonlyMap<string, readonly number[]>;
  readonly seconds: number;
}

const CHECK_EVERY = 20;

/** Each name as often as its weight says, in an order that is the same every time. */
function deck(asks: readonly Ask[]): readonly Ask[] {
  const total = asks.reduce((sum, { weight }) => sum + weight, 0);
  const given = new Map(asks.map((ask) => [ask, 0]));
  return Array.from({ length: total }, (_, n) => {
    const behind = (ask: Ask): number => ((n + 1) * ask.weight) / total - (given.get(ask) ?? 0);
    const next = asks.reduce((best, ask) => (behind(ask) > behind(best) ? ask : best));
    given.set(next, (given.get(next) ?? 0) + 1);
    return next;
  });
}

function dataOf(text: string): unknown {
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === 'object' && parsed !== null && 'data' in parsed ? parsed.data : undefined;
}

/** @throws VoidMeasurementError for an answer that is not what was asked for. */
export async function mixedLoad(load: MixedLoad): Promise<MixedResult> {
  const { url, connections, seconds, rate } = load;
  const cards = deck(load.asks);
  const times = new Map(load.asks.map(({ name }) => [name, [] as number[]]));
  const from = performance.now();
  const end = from + seconds * 1_000;
  let next = 0;
  const open = Array.from({ length: connections }, () => new HttpConnection(url));
  const one = async (connection: HttpConnection): Promise<void> => {
    for (;;) {
      const turn = next;
      next += 1;
      if (rate !== undefined) {
        const due = from + (turn / rate) * 1_000;
        if (due > end) return;
        const early = due - performance.now();
        if (early > 0) await sleep(early);
      }
      if (performance.now() >= end) return;
      const ask = cards[turn % cards.length];
      if (ask === undefined) return;
      const asked = performance.now();
      const { status, text } = await connection.ask(ask.method, ask.path(), ask.body);
      times.get(ask.name)?.push(performance.now() - asked);
      if (status !== ask.expect || (turn % CHECK_EVERY === 0 && !ask.isRight(dataOf(text())))) {
        throw new VoidMeasurementError(`${ask.name} answered ${status}: ${text().slice(0, 300)}`);
      }
    }
  };
  try {
    await Promise.all(open.map(one));
  } finally {
    for (const connection of open) connection.close();
  }
  return { times, seconds: (performance.now() - from) / 1_000 };
}
