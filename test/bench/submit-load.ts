/** HTTP submits of a task that does nothing, from this process. */
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { VoidMeasurementError } from './model.ts';

const QUIET_MS = 500;
const BODY = JSON.stringify({ kind: 'task', name: 'echo', params: { message: 'hello' } });

export interface SubmitLoad {
  /** The API's base URL. */
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second over all connections; default as many as go. */
  readonly rate?: number;
  /** Told of every answer: its status and the milliseconds it took. */
  readonly onAnswer?: (status: number, milliseconds: number) => void;
}

export interface SubmitResult {
  readonly accepted: number;
  /** Answers other than 2xx, errors and time-outs of the client. */
  readonly refused: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export async function submitOverHttp(load: SubmitLoad): Promise<SubmitResult> {
  const { onAnswer } = load;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const options: autocannon.Options = {
      url: `${load.url}/api/v1/runs`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: BODY,
      connections: load.connections,
      duration: load.seconds,
      ...(load.rate === undefined ? {} : { overallRate: load.rate }),
    };
    const run = autocannon(options, (error: Error | null, done) => {
      if (error === null) resolve(done);
      else reject(error);
    });
    if (onAnswer !== undefined) {
      run.on('response', (_client, status, _bytes, milliseconds) => onAnswer(status, milliseconds));
    }
  });
  return {
    accepted: result['2xx'],
    refused: result.non2xx + result.errors + result.timeouts,
    seconds: result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
  };
}

/** Resolves when no row has come for a while: the last requests of a load outlive it. */
export async function untilQuiet(countRuns: () => Promise<number>): Promise<void> {
  for (let last = -1, now = await countRuns(); now !== last; now = await countRuns()) {
    last = now;
    await sleep(QUIET_MS);
  }
}

/**
 * Every answer has its row. A request under way when the load stops may be stored without its answer being counted, one
 * a connection.
 *
 * @throws VoidMeasurementError otherwise.
 */
export function assertStored(result: SubmitResult, stored: number, connections: number): void {
  const { accepted, refused } = result;
  if (refused > 0 || stored < accepted || stored > accepted + connections) {
    throw new VoidMeasurementError(`${accepted} submits accepted, ${refused} refused, ${stored} rows`);
  }
}
