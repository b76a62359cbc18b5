import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { parseCondition } from './condition.ts';
import { parseExpression } from './expression.ts';
import { parseJsonLocation } from './path.ts';

const event = {
  type: 'run.completed',
  data: { count: 3, name: 'abc', list: [1, 2, 3], 'odd name': { x: null } },
};

const holds = (expression: string): boolean =>
  parseCondition(expression, ['event']).holds({ event }).unwrap();

describe('a condition', () => {
  it.each([
    ['event.type == "run.completed" && event.data.count >= 3', true],
    ['event.data.count > 2.5', true],
    ['event.data.count == 4 || event.data.name.startsWith("b")', false],
    ['event.data.list.exists(x, x == 2)', true],
    ['has(event.data.missing)', false],
    ['event.data.name in ["abc", "def"]', true],
    ['size(event.data.list) == 3', true],
    ['event.data["odd name"].x == null', true],
    ['timestamp("2026-01-01T00:00:00Z") < timestamp("2026-01-02T00:00:00Z")', true],
  ])('%s', (expression, expected) => {
    expect(holds(expression)).toBe(expected);
  });

  it.each([
    '"a" +',
    'nope == 1',
    'process.exit()',
    'event.data.constructor.constructor("return process")()',
    'constructor.constructor("return process")()',
    'event.data.name.matches("(a+)+$")',
    'event.data.list.all(x, event.data.list.all(y, y > x))',
    '['.repeat(40) + ']'.repeat(40),
    Array.from({ length: 300 }, () => '1').join(' + '),
    'x'.repeat(3_000),
    '',
  ])('%.60s is refused when it is read', (expression) => {
    expect(() => parseCondition(expression, ['event'])).toThrowError(ValidationError);
  });

  it.each([
    ['event.data.missing == 1', 'No such key: missing'],
    ['event.constructor == 1', 'No such key: constructor'],
    ['event.__proto__ == 1', 'No such key: __proto__'],
    ['event.data.list', 'answers object'],
  ])('%s cannot be told', (expression, message) => {
    const answer = parseCondition(expression, ['event'], 'filter').holds({ event });
    expect(answer.isErr() && answer.error.message).toContain(`filter: ${message}`);
  });
});

describe('a path', () => {
  it.each([
    ['$', event],
    ['$.data.count', 3],
    ['$.data.list[0]', 1],
    ['$.data.list[-1]', 3],
    ["$.data['odd name'].x", null],
    ['$["data"]["name"]', 'abc'],
    ['$.data.list[9]', undefined],
    ['$.data.count.more', undefined],
    ['$.data.list.length', undefined],
    ['$.constructor', undefined],
    ['$.__proto__.x', undefined],
  ])('%s', (path, expected) => {
    expect(parseJsonLocation(path).read(event)).toBe(expected);
  });

  it.each(['', 'data', '$..data', '$.data[*]', '$.', '$.data[01]', '$[?(@.x)]', `$.${'a'.repeat(600)}`])(
    '%.30j is refused',
    (path) => {
      expect(() => parseJsonLocation(path, 'param_mapping.x')).toThrowError(
        /^param_mapping\.x: .* is not a path/,
      );
    },
  );
});

describe('an expression', () => {
  it('answers any value, and says what it reads', () => {
    const parsed = parseExpression('event.data.list.filter(n, n > event.data["count"] - 2.0)', ['event']);
    expect(parsed.evaluate({ event }).unwrap()).toEqual([2, 3]);
    expect(parsed.reads).toEqual([
      ['event', 'data', 'list'],
      ['event', 'data', 'count'],
    ]);
  });

  it('reads as far as its keys are written down', () => {
    expect(parseExpression('event.data[event.key].more == 1 && has(event.a.b)', ['event']).reads).toEqual([
      ['event', 'data'],
      ['event', 'key'],
      ['event', 'a', 'b'],
    ]);
  });
});
