import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonProblems } from './find-json-problems.ts';
import { parseStrictJson } from './json-guard.ts';
import { scanJson } from './json-scan.ts';

/** [field, code] of everything wrong with the text. */
function problemsOf(text: string, maxDepth?: number): [string, string][] {
  const result = parseStrictJson(text, maxDepth === undefined ? {} : { maxDepth });
  return result.match({ ok: () => [], err: (found) => found.map(({ field, code }) => [field, code]) });
}

function nested(levels: number, open = '[', close = ']'): string {
  return open.repeat(levels) + close.repeat(levels);
}

describe('parseStrictJson', () => {
  it.each([
    '{"kind":"task","name":"echo","params":{"a":[1,-2.5,"x",true,null]}}',
    '"text"',
    ' [ ] ',
    '0',
    '-0',
    '{"a":1,"a":2}',
    '{"note":"caf\\u00e9 \\ud83d\\ude00 \\" \\\\ \\\\\\" end"}',
    '{"":{"":[]}}',
    '{"constructors":1,"my_prototype":2}',
    '{"text":"__proto__ and constructor are fine as values"}',
  ])('reads %s as JSON.parse does', (text) => {
    expect(parseStrictJson(text).unwrap()).toEqual(JSON.parse(text));
  });

  it.each([
    '',
    '  ',
    '{',
    '{"a":}',
    '[1,]',
    "{'a':1}",
    'undefined',
    'NaN',
    '01',
    '"a\0b"',
    '"tab\tinside"',
    '\uFEFF{}',
    '[1] x',
  ])('refuses %j: not JSON', (text) => {
    expect(problemsOf(text)).toEqual([['', 'invalid_json']]);
  });

  it('says where the text breaks but does not quote it', () => {
    const result = parseStrictJson('{"password":"hunter2","a":oops}');
    const message = result.match({
      ok: () => '',
      err: (found) => found.map((problem) => problem.message).join(),
    });
    expect(message).toMatch(/^the text is not valid JSON/);
    expect(message).not.toContain('hunter2');
    expect(parseStrictJson('{"a":1,}').match({ ok: () => '', err: ([first]) => first?.message })).toBe(
      'the text is not valid JSON (at position 7)',
    );
  });

  it('allows 64 levels and refuses 65, wherever they are', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":[', ']}'],
    ] as const) {
      const levels = 64 / (open.match(/[[{]/g) ?? []).length;
      expect(problemsOf(nested(levels, open, close))).toEqual([]);
      expect(problemsOf(`[${nested(levels, open, close)}]`)).toMatchObject([
        [expect.any(String), 'too_deep'],
      ]);
    }
    expect(problemsOf(`{"ok":1,"list":[0,${nested(64)}]}`)).toEqual([
      [`list[1]${'[0]'.repeat(62)}`, 'too_deep'],
    ]);
    expect(problemsOf(`{"a":${nested(2)},"b":${nested(3)}}`, 3)).toEqual([['b[0][0]', 'too_deep']]);
  });

  it('survives a million levels', () => {
    expect(problemsOf(nested(1_000_000)).map(([, code]) => code)).toEqual(['too_deep']);
    expect(problemsOf(nested(200_000, '{"a":', '}').replace('{"a":}', '{}')).map(([, code]) => code)).toEqual(
      ['too_deep'],
    );
    expect(problemsOf('['.repeat(1_000_000))).toEqual([['', 'invalid_json']]);
  });

  it.each([
    ['{"__proto__":{"admin":true}}', '__proto__'],
    ['{"a":[{"b":1},{"constructor":1}]}', 'a[1].constructor'],
    ['{"a":{"prototype":null}}', 'a.prototype'],
    ['{"a":{"\\u005f_proto__":1}}', 'a.__proto__'],
    ['{"__proto__":1,"b":2}', '__proto__'],
  ])('refuses the key in %s', (text, field) => {
    expect(problemsOf(text)).toEqual([[field, 'forbidden_key']]);
  });

  it.each([
    ['"\\u0000"', ''],
    ['{"a":["x","y\\u0000"]}', 'a[1]'],
    ['{"a":"\\ud800"}', 'a'],
    ['{"a":"\\udc00\\ud800"}', 'a'],
    ['{"a":"\uD800"}', 'a'],
    ['{"b\\u0000":1}', '["b\uFFFD"]'],
    ['{"x":{"\uDC00":1}}', 'x["\uFFFD"]'],
  ])('refuses the text in %j', (text, field) => {
    expect(problemsOf(text)).toEqual([[field, 'invalid_string']]);
  });

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567891',
    '1e400',
    '-1e400',
    '1E+999',
    '9007199254740993.0',
    '1e-400',
    '0.00001e-320',
    '9007199254740992.5',
    '1180591620717411303424',
    `0.${'0'.repeat(400)}1`,
    `1${'0'.repeat(400)}`,
  ])('refuses the number %s, which would become another', (literal) => {
    expect(problemsOf(literal)).toEqual([['', 'unsafe_number']]);
    expect(problemsOf(`{"a":[1,{"b": ${literal}}]}`)).toEqual([['a[1].b', 'unsafe_number']]);
  });

  it.each([
    '9007199254740991',
    '9007199254740992',
    '-9007199254740994',
    '1e20',
    '1e23',
    '1.5e300',
    '100000000000000000000',
    '0e999',
    '-0.0',
    '5e-324',
    '0.1234567890123456789',
    '0.10000000000000001',
    '123456.000e-3',
  ])('accepts the number %s', (literal) => {
    expect(parseStrictJson(`[${literal}]`).unwrap()).toEqual([Number(literal)]);
  });

  it('does not take digits inside text for numbers', () => {
    expect(problemsOf('{"id":"9007199254740993","s":" 1e400","t":", 12345678901234567891"}')).toEqual([]);
  });

  it('reports everything it finds, up to 20 problems', () => {
    expect(problemsOf('{"__proto__":1,"a":"\\u0000","b c":[1e999]}')).toEqual([
      ['__proto__', 'forbidden_key'],
      ['a', 'invalid_string'],
      ['["b c"][0]', 'unsafe_number'],
    ]);
    expect(problemsOf(`[${Array(1_000).fill('1e999').join()}]`)).toHaveLength(20);
  });

  it('keeps fields short and storable, whatever the keys are', () => {
    const [first] = problemsOf(JSON.stringify({ ['k\0'.repeat(10_000)]: 1 }));
    expect(first?.[0].length).toBeLessThan(120);
    expect(first?.[0]).not.toContain('\0');
  });

  it('sees a duplicate key that a later one hides', () => {
    expect(problemsOf('{"a":"\\u0000","a":1}')).toEqual([['a', 'invalid_string']]);
  });

  it('reads any JSON text of good values, however it is spaced', () => {
    fc.assert(
      fc.property(fc.json({ depthSize: 'medium' }), fc.constantFrom(0, 1, 4), (text, spaces) => {
        const value: unknown = JSON.parse(text);
        const expected = findJsonProblems(value);
        const result = parseStrictJson(JSON.stringify(value, null, spaces));
        if (expected.length === 0) expect(result.unwrap()).toEqual(value);
        else expect(result.ok).toBe(false);
      }),
    );
  });

  it('lets nothing through without a scan that the scan would report', () => {
    const fragment = fc.constantFrom(
      '1',
      '1e5',
      '1e999',
      '9007199254740993',
      '"x"',
      '"\\u0000"',
      '"\\\\"',
      '"\\""',
      '[]',
      '{}',
      'null',
      '0.1',
    );
    const key = fc.constantFrom('a', '__proto__', '\\u005f_proto__', 'constructor', 'e1', '1e999');
    const { value: document } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fragment,
        fc.array(tie('value')).map((items) => `[${items.join(' , ')}]`),
        fc
          .array(fc.tuple(key, tie('value')))
          .map((members) => `{${members.map(([k, v]) => `"${k}" :${v}`).join()}}`),
      ),
    }));
    fc.assert(
      fc.property(document, fc.integer({ min: 1, max: 5 }), (text, maxDepth) => {
        const scanned = scanJson(text, maxDepth);
        expect(parseStrictJson(text, { maxDepth }).match({ ok: () => [], err: (found) => found })).toEqual(
          scanned,
        );
      }),
      { numRuns: 500 },
    );
  });
});
