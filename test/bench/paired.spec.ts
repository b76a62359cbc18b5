import { describe, expect, it } from 'vitest';
import type { Contestant, Environment, Phases } from './model.ts';
import { bestAt, measureInTurns, medians, ratios } from './paired.ts';

const load = { jobs: 1, slots: 1 };
const phases = (drain: number): Phases => ({ submit: 1, drain, endToEnd: drain / 2 });

function environment(prefix: string): Environment {
  return { databaseUrl: '', redisUrl: '', prefix, reset: () => Promise.resolve() };
}

/** Answers with its numbers in turn and writes down when it was its turn. */
function counted(name: string, drains: readonly number[], log: string[]): Contestant {
  let turn = 0;
  return {
    name,
    measure: ({ prefix }) => {
      log.push(`${name} ${prefix}`);
      const drain = drains[turn] ?? 0;
      turn += 1;
      return Promise.resolve(phases(drain));
    },
  };
}

describe('measuring in turns', () => {
  it('interleaves, begins each repetition with another one, and shares no keys', async () => {
    const log: string[] = [];
    const entries = ['a', 'b', 'c'].map((name) => ({ contestant: counted(name, [1, 2], log), load }));
    await measureInTurns(entries, { repetitions: 2, environment });
    expect(log.map((line) => line[0]).join('')).toBe('abcbca');
    expect(new Set(log.map((line) => line.slice(2))).size).toBe(6);
  });

  it('compares what was measured in one repetition', async () => {
    const log: string[] = [];
    const entries = [
      { contestant: counted('slow', [10, 100], log), load },
      { contestant: counted('fast', [30, 200], log), load },
    ];
    const [slow, fast] = await measureInTurns(entries, { repetitions: 2, environment });
    if (slow === undefined || fast === undefined) throw new Error('two entries were measured');
    expect(ratios(fast, slow, 'drain')).toEqual([3, 2]);
    expect(medians(slow)).toEqual({ submit: 1, drain: 55, endToEnd: 27.5 });
    expect(bestAt([slow, fast], 'drain').contestant.name).toBe('fast');
  });

  it('ends with the first measurement that is void', async () => {
    const broken: Contestant = {
      name: 'broken',
      measure: () => Promise.reject(new Error('rows are missing')),
    };
    await expect(
      measureInTurns([{ contestant: broken, load }], { repetitions: 1, environment }),
    ).rejects.toThrow('rows are missing');
  });
});

it('the best of nothing is an error', () => {
  expect(() => bestAt([], 'drain')).toThrow(RangeError);
});
