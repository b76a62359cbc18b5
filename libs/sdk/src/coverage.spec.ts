/** Whether callers reach every operation of openapi.json without the generated layer: each method is called, and seen. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createSpineClient } from './client.ts';
import { PagedList } from './paging.ts';

/** Operations that have no method, and why. */
const WITHOUT_METHOD: Readonly<Record<string, string>> = {
  deliver: 'webhooks are sent by other systems, which sign the raw body with a secret of their own',
};

/** What methods are called with that do not take a text for everything. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = { 'runs.submitBatch': [[]] };

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: RegExp;
  readonly params: number;
}

interface Method {
  readonly name: string;
  readonly call: () => unknown;
}

function operations(): Operation[] {
  const text = readFileSync(new URL('../../../openapi.json', import.meta.url), 'utf8');
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, { operationId: string }>> };
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({
        id: operationId,
        method: method.toUpperCase(),
        path: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
        params: path.split('{').length - 1,
      })),
    )
    .sort((a, b) => a.params - b.params);
}

function namesOf(owner: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(owner);
  const inherited = prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype);
  return [...Object.keys(owner), ...inherited.filter((name) => name !== 'constructor')];
}

/** What can be called of a client, with the path to it; the generated layer is left out. */
function methodsOf(owner: object, at = ''): Method[] {
  return namesOf(owner)
    .filter((name) => !(at === '' && name === 'api'))
    .flatMap((key) => {
      const name = `${at}${key}`;
      const member: unknown = Reflect.get(owner, key);
      if (typeof member === 'object' && member !== null) return methodsOf(member, `${name}.`);
      if (typeof member !== 'function') return [];
      const given = ARGUMENTS[name] ?? ['x', 'x', 'x', 'x'];
      return [{ name, call: (): unknown => Reflect.apply(member, owner, given) }];
    });
}

const all = operations();
/** Operations by the methods that ask for them. */
const reached = new Map<string, string[]>();
const silent: string[] = [];
let asked: { method: string; path: string }[] = [];

beforeAll(async () => {
  const client = createSpineClient({
    baseUrl: 'http://spine.test',
    fetch: (input, { method = 'GET' } = {}) => {
      const path = new URL(input instanceof Request ? input.url : input).pathname;
      asked.push({ method: input instanceof Request ? input.method : method, path });
      return Promise.resolve(
        // Ends a stream.
        path.endsWith('/events/stream')
          ? new Response(null, { status: 204 })
          : Response.json({ data: { run_id: 'x', status: 'completed' }, page: { has_more: false } }),
      );
    },
  });
  for (const { name, call } of methodsOf(client)) {
    asked = [];
    const answer = call();
    if (answer instanceof PagedList) await answer.first();
    else if (typeof answer === 'object' && answer !== null && 'next' in answer) {
      await (answer as AsyncGenerator<unknown>).next();
    } else await answer;
    const ids = asked.flatMap(
      ({ method, path }) => all.find((each) => each.method === method && each.path.test(path))?.id ?? [],
    );
    if (ids.length < asked.length || ids.length === 0) silent.push(name);
    for (const id of ids) reached.set(id, [...(reached.get(id) ?? []), name]);
  }
});

describe('the client', () => {
  it('has a method for every operation, or a reason why not', () => {
    const missing = all.filter(({ id }) => !reached.has(id)).map(({ id }) => id);
    expect(missing.sort()).toEqual(Object.keys(WITHOUT_METHOD).sort());
  });

  it('asks with every method for operations that there are', () => {
    expect(silent).toEqual([]);
    expect(reached.size).toBeGreaterThan(150);
  });
});
