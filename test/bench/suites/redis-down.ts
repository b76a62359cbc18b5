/**
 * Submits while Redis is away: frozen (connections stay open, nothing is answered), then killed. A submit is a row in
 * Postgres and must not notice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openLab } from '../lab.ts';
import type { Section } from '../model.ts';
import { startApi } from '../processes/service.ts';
import { number } from '../report.ts';
import { percentile } from '../statistics.ts';
import { assertStored, submitOverHttp, untilQuiet } from '../submit-load.ts';
import type { SubmitResult } from '../submit-load.ts';
import type { Suite, SuiteContext } from './suite.ts';

const CONNECTIONS = 64;
/** Far from what the API can take: latency is measured, not saturation. */
const RATE = 500;
const BEFORE_MS = 3_000;

const SITUATIONS = ['Redis up', 'Redis frozen', 'Redis killed', 'Redis back'] as const;
type Situation = (typeof SITUATIONS)[number];

interface Answer {
  readonly situation: Situation;
  readonly status: number;
  readonly milliseconds: number;
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const lab = await openLab();
  const outageMs = Math.max(5_000, options.seconds * 500);
  const answers: Answer[] = [];
  let situation: Situation = 'Redis up';
  const enter = (next: Situation): void => {
    say(`  ${next}`);
    situation = next;
  };
  try {
    const api = await startApi(lab.databaseUrl, lab.redis.url);
    try {
      await submitOverHttp({ url: api.url, connections: CONNECTIONS, seconds: 2, rate: RATE });
      await untilQuiet(lab.countRuns);
      await lab.environment('spine').reset();
      const load: Promise<SubmitResult> = submitOverHttp({
        url: api.url,
        connections: CONNECTIONS,
        seconds: Math.ceil((BEFORE_MS * 3 + outageMs * 2) / 1000),
        rate: RATE,
        onAnswer: (status, milliseconds) => answers.push({ situation, status, milliseconds }),
      });
      await sleep(BEFORE_MS);
      enter('Redis frozen');
      await lab.redis.pause();
      await sleep(outageMs);
      await lab.redis.resume();
      enter('Redis back');
      await sleep(BEFORE_MS);
      enter('Redis killed');
      await lab.redis.kill();
      await sleep(outageMs);
      await lab.redis.restart();
      enter('Redis back');
      const result = await load;
      assertStored(result, await lab.countRuns(), CONNECTIONS);
      return section(answers);
    } finally {
      await api.stop();
    }
  } finally {
    await lab.close();
  }
}

function section(answers: readonly Answer[]): Section {
  const of = (situation: Situation): number[] =>
    answers.filter((answer) => answer.situation === situation).map((answer) => answer.milliseconds);
  const ms = (value: number): string => `${number(value)} ms`;
  const down = [...of('Redis frozen'), ...of('Redis killed')];
  return {
    suite: 'redis-down',
    title: 'Submit while Redis is away',
    tables: [
      {
        columns: ['', 'answers', 'p50', 'p99', 'slowest'],
        rows: SITUATIONS.map((situation) => {
          const times = of(situation);
          return [
            situation,
            number(times.length),
            ms(percentile(times, 0.5)),
            ms(percentile(times, 0.99)),
            ms(percentile(times, 1)),
          ];
        }),
      },
    ],
    figures: [
      {
        name: 'submit p99 while Redis is away',
        value: percentile(down, 0.99),
        unit: ' ms',
        target: { at: 'most', value: 500 },
      },
      {
        name: 'answers other than 202',
        value: answers.filter((answer) => answer.status !== 202).length,
        unit: '',
        target: { at: 'most', value: 0 },
      },
    ],
    notes: [`${RATE} submits a second over ${CONNECTIONS} connections; every 202 was found in Postgres.`],
  };
}

export const redisDownSuite: Suite = {
  name: 'redis-down',
  about: 'HTTP submits while Redis is frozen and while it is killed',
  run,
};
