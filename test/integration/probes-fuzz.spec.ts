/**
 * Every operation of the OpenAPI document against what its schemas forbid: generated, so that a new endpoint is among
 * them. Nothing is answered 5xx, every refusal is a problem document, and no table changes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerSchema, bodySchema, operationsOf, parametersOf, schemaChecker } from './openapi-support.ts';
import type { ApiOperation } from './openapi-support.ts';
import { filled, openProbed, tablesOf } from './probes-support.ts';
import type { Answer, Json, Probed } from './probes-support.ts';

let probed: Probed;
let document: Json;
let operations: ApiOperation[];
let check: (schema: Json, value: unknown) => string | null;
let before: Readonly<Record<string, string>>;

beforeAll(async () => {
  probed = await openProbed();
  document = (await probed.call('GET', '/docs/openapi.json')).body;
  // A stream does not end; deliveries are signed.
  operations = operationsOf(document).filter(
    ({ path, scope }) => path !== '/api/v1/events/stream' && scope !== 'signed',
  );
  check = schemaChecker(document);
  before = await tablesOf(probed.api);
});
afterAll(() => probed.close());

const AT_ONCE = 8;

/** Does `work` for each, a few at a time; answers with what it has found wrong. */
async function problemsOf<T>(
  items: readonly T[],
  work: (item: T) => Promise<string | null>,
): Promise<string[]> {
  const found: string[] = [];
  const queue = items.values();
  const take = async (): Promise<void> => {
    for (const item of queue) {
      const problem = await work(item);
      if (problem !== null) found.push(problem);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
  return found.slice(0, 20);
}

/** What is wrong with an answer whatever was asked: null for nothing. */
function wrongAnswer(
  operation: ApiOperation,
  asked: string,
  { status, body, text, headers }: Answer,
): string | null {
  const told = `${operation.id} ${asked}: ${status} ${text.slice(0, 300)}`;
  if (status >= 500) return told;
  if (operation.operation['responses']?.[String(status)] === undefined) return `not documented: ${told}`;
  if (headers.get('x-injected') !== null) return `header: ${told}`;
  if (status >= 400) {
    if (!(headers.get('content-type') ?? '').startsWith('application/problem+json'))
      return `no problem: ${told}`;
    const wrong = check(PROBLEM, body);
    return wrong === null ? null : `${wrong}: ${told}`;
  }
  const schema = answerSchema(operation, status);
  const wrong = schema === undefined ? null : check(schema, body);
  return wrong === null ? null : `${wrong}: ${told}`;
}

const PROBLEM = JSON.parse('{"$ref":"#/components/schemas/Problem"}') as Json;

/** Never there as a value: a filter that finds something by it was taken for SQL. */
const ALWAYS_TRUE = `x' OR '1'='1`;
const TEXTS: readonly string[] = [
  ALWAYS_TRUE,
  `'; DROP TABLE runs; --`,
  `x" OR "1"="1`,
  `1) UNION SELECT key_hash FROM api_keys --`,
  `\\'; SELECT 1; --`,
  `__proto__`,
  `../../../../etc/passwd`,
  `a\r\nX-Injected: 1`,
  `a\u0000b`,
  `${'('.repeat(500)}a+${')+'.repeat(500)}`,
  'a'.repeat(5_000),
  '\u202e\ufeff\uffff',
];
const VALUES: readonly string[] = [
  `1; DROP TABLE runs`,
  '-1',
  '9007199254740993',
  '1e400',
  '2026-02-30T00:00:00Z',
  '',
];
/** Percent-encoded: bytes that are not UTF-8, a lone surrogate, an overlong slash. */
const RAW: readonly string[] = ['%ff', '%ed%a0%80', '%zz'];

interface Ask {
  readonly operation: ApiOperation;
  readonly path: string;
  readonly asked: string;
  readonly mustFindNothing?: boolean;
}

/** The query that an operation needs to be asked at all, without `but`. */
function neededQuery(operation: ApiOperation, but: string): string {
  const required = operation.operation['parameters'] ?? [];
  return Object.values(required)
    .filter(
      (each) =>
        String(each['in']) === 'query' && String(each['required']) === 'true' && String(each['name']) !== but,
    )
    .map((each) => `&${String(each['name'])}=${encodeURIComponent(NEEDED[String(each['name'])] ?? 'x')}`)
    .join('');
}

const NEEDED: Readonly<Record<string, string>> = { tier: 'OTC', week: '2026-01-30', partition_key: '{}' };

/** Every `of`-th, beginning elsewhere at each turn: all of them in `of` turns. */
function inTurn<T>(values: readonly T[], turn: number, of: number): readonly T[] {
  return values.filter((_value, index) => (index + turn) % of === 0);
}

function asksOf(operation: ApiOperation, turn: number): Ask[] {
  const base = filled(operation.path, probed.names);
  return parametersOf(operation, 'query').flatMap(({ name, schema }, index) => {
    const isText = JSON.stringify(schema).includes('"string"') && !JSON.stringify(schema).includes('"enum"');
    const others = [...(isText ? TEXTS.slice(2) : []), ...VALUES];
    // What every parameter gets, and of the rest each its share.
    const given = [...TEXTS.slice(0, 2), ...inTurn(others, turn + index, 3)].map((value) => ({
      value: encodeURIComponent(value),
      mustFindNothing: value === ALWAYS_TRUE,
    }));
    const raw = isText
      ? inTurn(RAW, turn + index, RAW.length).map((value) => ({ value, mustFindNothing: false }))
      : [];
    return [...given, ...raw].map(({ value, mustFindNothing }) => ({
      operation,
      path: `${base}?${name}=${value}${neededQuery(operation, name)}`,
      asked: `${name}=${value.slice(0, 80)}`,
      mustFindNothing,
    }));
  });
}

function found(answer: Answer): boolean {
  const { data } = answer.body;
  return answer.status === 200 && Array.isArray(data) && data.length > 0;
}

describe('reads', () => {
  it('of what is there answer as their schemas say', async () => {
    const reads = operations.filter(({ method }) => method === 'GET');
    expect(reads.length).toBeGreaterThan(50);
    let seen = 0;
    const problems = await problemsOf(reads, async (operation) => {
      const path = filled(operation.path, probed.names);
      const answer = await probed.call('GET', `${path}?${neededQuery(operation, '').slice(1)}`);
      if (answer.status === 200) seen += 1;
      return wrongAnswer(operation, path, answer);
    });
    expect(problems).toEqual([]);
    expect(seen).toBeGreaterThan(40);
  });

  it('take no value of a parameter for SQL, a path, a header or a pattern', async () => {
    const asks = operations.filter(({ method }) => method === 'GET').flatMap(asksOf);
    expect(asks.length).toBeGreaterThan(800);
    const problems = await problemsOf(asks, async ({ operation, path, asked, mustFindNothing = false }) => {
      const answer = await probed.call('GET', path);
      if (mustFindNothing && found(answer))
        return `${operation.id} ${asked} finds ${answer.text.slice(0, 200)}`;
      return wrongAnswer(operation, asked, answer);
    });
    expect(problems).toEqual([]);
  });
});

describe('names in paths', () => {
  it('are taken for nothing else, by any method', async () => {
    const values = [
      ...[
        "'",
        `x' OR '1'='1`,
        '../../etc/passwd',
        'a\r\nX-Injected: 1',
        'a\u0000b',
        '__proto__',
        '{run_id}',
        'x;y=1',
        'A'.repeat(150),
      ].map(encodeURIComponent),
      ...RAW,
      'x'.repeat(300),
    ];
    const asks = operations.flatMap((operation, turn) =>
      parametersOf(operation, 'path').flatMap(({ name }, index) =>
        inTurn(values, turn + index, 3).map((value) => ({
          operation,
          value,
          path: filled(operation.path.replace(`{${name}}`, '\u0001'), probed.names).replace('\u0001', value),
        })),
      ),
    );
    expect(asks.length).toBeGreaterThan(300);
    const problems = await problemsOf(asks, async ({ operation, path, value }) => {
      const answer = await probed.call(operation.method, path);
      return wrongAnswer(operation, value, answer);
    });
    expect(problems).toEqual([]);
  });
});

/** The members of a schema of an object, by name. */
function propertiesOf(schema: Json): Readonly<Record<string, Json>> {
  const ref = schema['$ref'];
  const target =
    ref === undefined ? schema : document['components']?.['schemas']?.[String(ref).split('/').at(-1) ?? ''];
  return target?.['properties'] ?? {};
}

function exampleBody(operation: ApiOperation): Record<string, unknown> {
  const media = operation.operation['requestBody']?.['content']?.['application/json'];
  const example = media?.['example'] ?? Object.values(media?.['examples'] ?? {})[0]?.['value'];
  return { ...example };
}

/** Values of types of which a member takes at most some. */
const WRONG: readonly unknown[] = ['x\u0000y', { $ne: null }, 7.25, 'a'.repeat(20_000), true, [[]], -1, ''];
/** Of those that it does not take. */
const WRONG_PER_MEMBER = 2;

function brokenBodies(
  operation: ApiOperation,
  schema: Json,
  turn: number,
): { asked: string; body: string }[] {
  const valid = exampleBody(operation);
  const always = [
    { asked: 'a list', body: '[]' },
    { asked: 'a text', body: '"x"' },
    { asked: 'a number', body: '7' },
    { asked: 'half of it', body: '{"a":' },
    { asked: 'a prototype', body: '{"__proto__":{"polluted":true}}' },
    { asked: 'a constructor', body: '{"constructor":{"prototype":{"polluted":true}}}' },
    { asked: 'depth 65', body: `${'{"a":'.repeat(65)}1${'}'.repeat(65)}` },
    { asked: 'a column', body: JSON.stringify({ ...valid, epoch: 7 }) },
    { asked: 'an unknown member', body: JSON.stringify({ ...valid, no_such_member: 1 }) },
    { asked: '1e400', body: '{"n":1e400}' },
    { asked: '2^53+1', body: '{"n":9007199254740993}' },
    { asked: 'twice the same', body: '{"no_such_member":1,"no_such_member":2}' },
  ];
  const bodies = [...inTurn(always, turn, 2)];
  for (const [name, member] of Object.entries(propertiesOf(schema))) {
    for (const value of WRONG.filter((each) => check(member, each) !== null).slice(0, WRONG_PER_MEMBER)) {
      const body = JSON.stringify({ ...valid, [name]: value });
      bodies.push({ asked: `${name}=${JSON.stringify(value).slice(0, 30)}`, body });
    }
  }
  return bodies;
}

describe('bodies', () => {
  it('that their schemas forbid are refused with 4xx and what is wrong', async () => {
    const asks = operations.flatMap((operation, turn) => {
      const schema = bodySchema(operation);
      return schema === undefined
        ? []
        : brokenBodies(operation, schema, turn).map((broken) => ({ operation, ...broken }));
    });
    expect(asks.length).toBeGreaterThan(500);
    const problems = await problemsOf(asks, async ({ operation, asked, body }) => {
      const path = filled(operation.path, probed.names);
      const answer = await probed.call(operation.method, path, { body });
      // Each item of a batch has its own outcome.
      if (answer.status === 207) return Number(answer.body['data']?.['accepted']) === 0 ? null : asked;
      if (answer.status < 400)
        return `${operation.id} takes ${asked}: ${answer.status} ${answer.text.slice(0, 200)}`;
      return wrongAnswer(operation, asked, answer);
    });
    expect(problems).toEqual([]);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});

describe('after all of it', () => {
  it('no table has changed', async () => {
    expect(await tablesOf(probed.api)).toEqual(before);
  });
});
