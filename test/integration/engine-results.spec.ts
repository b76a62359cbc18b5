/** Whatever a handler returns, throws or reports: its run settles, and the history can be read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SourceError, ValidationError } from '@spine/core';
import { LIMITS } from '@spine/execution';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

let bed: Bed;
let lane: string;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
  lane = bed.newLane();
  await bed.startWorker(lane);
});
afterAll(() => bed.close());

function cycle(): unknown {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}

const nested = (levels: number): unknown =>
  Array.from({ length: levels }).reduce<unknown>((inner) => [inner], null);

describe('a result that no store takes unchanged', () => {
  it.each<[string, unknown, RegExp]>([
    ['NUL in a text', { text: 'a\0b' }, /text: .*NUL/],
    ['NUL in a key', { 'a\0b': 1 }, /NUL/],
    ['a lone surrogate', ['\ud800'], /\[0\]: .*surrogate/],
    ['a cycle', cycle(), /circular/],
    ['a BigInt', { n: 9_007_199_254_740_993n }, /BigInt/],
    ['NaN', { ratio: NaN }, /"ratio" is NaN/],
    ['Infinity', [1, -Infinity], /-Infinity/],
    ['an own key __proto__', JSON.parse('{"__proto__":{"admin":true}}'), /__proto__/],
    ['a key constructor', { rows: [{ constructor: 'x' }] }, /constructor/],
    ['65 levels', nested(65), /nest at most 64/],
    ['a hundred thousand levels', nested(100_000), /stack/],
    ['a function', () => 1, /function/],
    [
      'a getter that throws',
      Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('not today');
        },
      }),
      /not today/,
    ],
    ['17 MiB', 'x'.repeat(17 * 1024 * 1024), new RegExp(`at most ${LIMITS.payloadBytes} are allowed`)],
  ])('for %s ends its run at once, with what is wrong', async (_, value, message) => {
    const runId = await bed.submit(bed.probe(lane, () => value));
    const run = await bed.reach(runId, 'dead_lettered');
    expect(run).toMatchObject({
      attempt: 1,
      result: null,
      error: { type: 'ValidationError', category: 'VALIDATION', retryable: false },
    });
    expect(run.error?.message).toMatch(/^the handler's result cannot be stored: /);
    expect(run.error?.message).toMatch(message);
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'dead_lettered']);
  });

  it.each<[string, unknown, unknown]>([
    ['nothing', undefined, null],
    ['64 levels', nested(64), nested(64)],
    ['what only looks like NUL', '\\u0000 \\ud800', '\\u0000 \\ud800'],
    ['the largest safe integer', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['the smallest number', 5e-324, 5e-324],
    [
      'undefined and functions in objects, as JSON leaves them out',
      { a: undefined, b: () => 1, c: 1 },
      { c: 1 },
    ],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['emoji', '👩‍👩‍👧', '👩‍👩‍👧'],
  ])('but not for %s', async (_, value, stored) => {
    const runId = await bed.submit(bed.probe(lane, () => value));
    expect((await bed.reach(runId, 'completed')).result).toEqual(stored);
  });
});

describe('an error that no store takes unchanged', () => {
  const named = Object.assign(new Error('x'), { name: 'Na\0me\ud800' });
  it.each<[string, unknown, { message: string | RegExp; type?: string }]>([
    ['NUL in its message', new SourceError('a\0b'), { message: 'a\uFFFDb' }],
    ['a lone surrogate in its message', new SourceError('a\udc00b'), { message: 'a\uFFFDb' }],
    ['NUL and a surrogate in its name', named, { message: 'x', type: 'Na\uFFFDme\uFFFD' }],
    ['a megabyte of message', new SourceError('y'.repeat(1_000_000)), { message: /^y{3999}…$/ }],
    ['a text', 'te\0xt', { message: 'te\uFFFDxt', type: 'string' }],
    ['undefined', undefined, { message: 'undefined was thrown', type: 'undefined' }],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
      { message: /no readable message/ },
    ],
    [
      'a nonsense retry_after',
      new SourceError('z', { retryable: true, retryAfterSeconds: 1e300 }),
      { message: 'z' },
    ],
  ])('for %s is stored as near to it as can be', async (_, thrown, expected) => {
    const runId = await bed.submit(
      bed.probe(
        lane,
        () => {
          throw thrown;
        },
        { maxRetries: 0 },
      ),
    );
    const { error } = await bed.reach(runId, 'dead_lettered');
    expect(error).toMatchObject({
      message:
        typeof expected.message === 'string'
          ? expected.message
          : (expect.stringMatching(expected.message) as string),
      ...(expected.type === undefined ? {} : { type: expected.type }),
    });
    const { rows } = await bed.admin.query<{ error: unknown }>(
      'SELECT error FROM dead_letters WHERE run_id = $1',
      [runId],
    );
    expect(rows).toEqual([{ error }]);
  });
});

describe('an event that no store takes unchanged', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['NUL', { text: '\0' }, /NUL/],
    ['a BigInt', { n: 1n }, /BigInt/],
    ['a cycle', { c: cycle() }, /circular/],
    ['NaN', { n: NaN }, /NaN/],
    ['65 KiB', { text: 'x'.repeat(LIMITS.eventBytes) }, /at most 65536 are allowed/],
  ])('for %s is refused to its handler alone', async (_, data, message) => {
    let refused: unknown;
    const runId = await bed.submit(
      bed.probe(lane, async (ctx) => {
        refused = await ctx.event('odd', data).catch((error: unknown) => error);
        await ctx.event('even', { ok: true });
        ctx.progress(1, 'do\0ne');
        return 'went on';
      }),
    );
    expect((await bed.reach(runId, 'completed')).result).toBe('went on');
    expect(refused).toBeInstanceOf(ValidationError);
    expect(String(refused)).toMatch(message);
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'even', 'completed']);
  });
});
