/**
 * The API is killed between the commit of a submit and what follows it.
 *
 * Without a hint: what it sends to Redis is held, so that a client has its 202 and no hint has left; then it is killed
 * and what was held is thrown away. Without an answer: what Postgres answers is held, so that rows are committed whose
 * client knows nothing; then it is killed, and the client repeats itself under the same keys.
 */
import type { Bed } from '../bed/bed.ts';
import { pause, until } from '../pause.ts';
import { startAll } from './processes.ts';
import type { Fault } from './fault.ts';

async function killWithoutHints(bed: Bed, signal: AbortSignal): Promise<void> {
  const { redis, process } = bed.api;
  redis.set('hold-requests');
  const before = bed.load.promised.length;
  if (await until(() => bed.load.promised.length > before, signal)) {
    await process.end('SIGKILL');
    bed.count('API kills');
    bed.count('runs accepted and never hinted', bed.load.promised.length - before);
    redis.reset();
  }
  redis.set('open');
}

async function killWithoutAnswers(bed: Bed, signal: AbortSignal): Promise<void> {
  const { postgres, process } = bed.api;
  const unanswered = async (): Promise<number> => {
    const answered = new Set(bed.load.promised.map(({ runId }) => runId)).size;
    const { rows } = await bed.admin.query<{ n: number }>('SELECT count(*)::int AS n FROM runs');
    return (rows[0]?.n ?? 0) - answered;
  };
  postgres.set('hold-answers');
  if (await until(async () => (await unanswered()) > 0, signal, 20)) {
    await process.end('SIGKILL');
    bed.count('API kills');
    bed.count('runs committed and never answered', await unanswered());
    postgres.reset();
  }
  postgres.set('open');
}

export const apiKillAfterCommit: Fault = {
  what: 'the API killed between commit and hint, or between commit and answer',
  losesLeases: false,
  inject: async (bed, random, signal) => {
    while (!signal.aborted) {
      await pause(random.int(50, 500), signal);
      if (signal.aborted) return;
      if (random.chance(0.5)) await killWithoutHints(bed, signal);
      else await killWithoutAnswers(bed, signal);
      await bed.api.process.start();
    }
  },
  heal: startAll,
};
