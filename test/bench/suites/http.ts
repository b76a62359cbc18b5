/** HTTP submits against the real api process, on durable Postgres and Redis; every 202 must have its row. */
import { openLab } from '../lab.ts';
import type { Section } from '../model.ts';
import { startApi } from '../processes/service.ts';
import { number } from '../report.ts';
import { assertStored, submitOverHttp, untilQuiet } from '../submit-load.ts';
import type { Suite, SuiteContext } from './suite.ts';

const CONNECTIONS = 64;
const WARM_UP_SECONDS = 3;

async function run({ options }: SuiteContext): Promise<Section> {
  const lab = await openLab();
  try {
    const api = await startApi(lab.databaseUrl, lab.redis.url);
    try {
      await submitOverHttp({ url: api.url, connections: CONNECTIONS, seconds: WARM_UP_SECONDS });
      await untilQuiet(lab.countRuns);
      await lab.environment('spine').reset();
      const result = await submitOverHttp({
        url: api.url,
        connections: CONNECTIONS,
        seconds: Math.ceil(options.seconds / 2),
      });
      assertStored(result, await lab.countRuns(), CONNECTIONS);
      const rate = result.accepted / result.seconds;
      return {
        suite: 'http',
        title: 'HTTP submit',
        tables: [
          {
            columns: ['connections', 'accepted', 'p50', 'p99'],
            rows: [
              [
                String(CONNECTIONS),
                `${number(rate)}/s`,
                `${number(result.p50)} ms`,
                `${number(result.p99)} ms`,
              ],
            ],
          },
        ],
        figures: [
          { name: 'HTTP submits', value: rate, unit: '/s', target: { at: 'least', value: 8_000 } },
          { name: 'HTTP submit p99', value: result.p99, unit: ' ms', target: { at: 'most', value: 20 } },
        ],
        notes: ['The api, Postgres, Redis and the load generator share the machine.'],
      };
    } finally {
      await api.stop();
    }
  } finally {
    await lab.close();
  }
}

export const httpSuite: Suite = {
  name: 'http',
  about: 'submits a second over HTTP against the api process, 64 connections',
  run,
};
