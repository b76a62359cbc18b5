/** One suite over every event bus: what publishers and subscribers may rely on, whatever carries the events. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, ValidationError } from '@spine/core';
import { EventBusUnavailableError, MAX_EVENT_DATA_BYTES, typeMatcher } from '@spine/execution';
import type { BusEvent, GapReason } from '@spine/execution';
import { captureLogger, silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { openMemoryBuses, openPostgresBuses, openRedisBuses } from './event-buses.ts';
import type { OpenBuses } from './event-buses.ts';

const BACKENDS = [
  { name: 'memory', open: openMemoryBuses },
  { name: 'redis', open: openRedisBuses },
  { name: 'postgres', open: openPostgresBuses },
] as const;

/** A name that nobody else's events begin with. */
const newTopic = (): string => `t${newId().replaceAll('-', '')}`;

describe.each(BACKENDS)('the event bus in $name', ({ name, open }) => {
  let buses: OpenBuses;
  beforeAll(async () => {
    buses = await open();
  });
  afterAll(() => buses.close());

  it('brings an event to every subscriber that wants it, in this process and in others', async () => {
    const topic = newTopic();
    const got: { who: string; event: BusEvent }[] = [];
    const note = (who: string) => (event: BusEvent) => void got.push({ who, event });
    await buses.bus.subscribe(`${topic}.*`, note('here'));
    await buses.other.subscribe(`${topic}.done`, note('there'));
    await buses.other.subscribe(`${topic}.failed`, note('nobody'));
    const data = { run_id: 'r', 'ümläut "\n': [1.5, null, { deep: true }] };
    const sent = await buses.bus.publish({ type: `${topic}.done`, source: 'test', data });
    await waitFor(() => got.length >= 2);
    expect(got.map(({ who }) => who).sort()).toEqual(['here', 'there']);
    for (const { event } of got) expect(event).toEqual(sent);
    expect(sent).toMatchObject({ type: `${topic}.done`, source: 'test', data });
    expect(sent.timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(buses.bus.backend).toBe(name);
  });

  it('brings what one publisher sends in its order, small and large', async () => {
    const topic = newTopic();
    const got: number[] = [];
    await buses.other.subscribe(`${topic}.>`, ({ data }) => void got.push((data as { n: number }).n));
    for (let n = 0; n < 60; n += 1) {
      const filler = n % 20 === 3 ? 'é'.repeat(20_000) : '';
      await buses.bus.publish({ type: `${topic}.a.b`, source: 'test', data: { n, filler } });
    }
    await waitFor(() => got.length >= 60);
    expect(got).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  it('carries as much data as it says, and refuses more by name', async () => {
    const topic = newTopic();
    const got: BusEvent[] = [];
    await buses.other.subscribe(topic, (event) => void got.push(event));
    const data = 'x'.repeat(MAX_EVENT_DATA_BYTES - 2);
    await buses.bus.publish({ type: topic, source: 'test', data });
    await waitFor(() => got.length > 0);
    expect(got[0]?.data === data).toBe(true);
    await expect(buses.bus.publish({ type: topic, source: 'test', data: `${data}x` })).rejects.toMatchObject({
      name: 'ValidationError',
      issues: [{ field: 'data', code: 'event_too_large' }],
    });
  });

  it('isolates handlers: one that throws, rejects or hangs keeps nothing from the others', async () => {
    const topic = newTopic();
    const failures: string[] = [];
    const logger = captureLogger(silentLogger(), {
      bindings: {},
      level: 'warn',
      onLine: ({ message }) => void failures.push(message),
    });
    const bus = buses.make({ logger });
    const got: string[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await bus.subscribe(topic, () => {
      throw new Error('a bad day');
    });
    await bus.subscribe(topic, () => Promise.reject(new Error('a worse day')));
    await bus.subscribe(topic, () => held);
    await bus.subscribe(topic, ({ data }) => void got.push(String(data)));
    await bus.publish({ type: topic, source: 'test', data: 'one' });
    await bus.publish({ type: topic, source: 'test', data: 'two' });
    await waitFor(() => got.length === 2 && failures.length === 4);
    expect(got).toEqual(['one', 'two']);
    expect(new Set(failures)).toEqual(new Set(['a subscriber of the event bus failed']));
    release();
    await bus.close();
  });

  it('gives handlers events that none of them can change for the others', async () => {
    const topic = newTopic();
    const got: BusEvent[] = [];
    await buses.bus.subscribe(topic, ({ data }) => {
      (data as { list: number[] }).list.push(2);
    });
    await buses.bus.subscribe(topic, (event) => void got.push(event));
    const data = { list: [1] };
    await buses.bus.publish({ type: topic, source: 'test', data });
    data.list.push(3);
    await waitFor(() => got.length > 0);
    expect(got[0]?.data).toEqual({ list: [1] });
  });

  it('handles one event at a time for a subscriber', async () => {
    const topic = newTopic();
    let [active, most, done] = [0, 0, 0];
    await buses.bus.subscribe(topic, async () => {
      active += 1;
      most = Math.max(most, active);
      await new Promise((resolve) => setImmediate(resolve));
      active -= 1;
      done += 1;
    });
    await Promise.all(Array.from({ length: 10 }, () => buses.bus.publish({ type: topic, source: 'test' })));
    await waitFor(() => done === 10);
    expect(most).toBe(1);
  });

  it('drops what a subscriber is too slow for, and tells it once', async () => {
    const topic = newTopic();
    const bus = buses.make({ mostWaiting: 5 });
    const got: unknown[] = [];
    const gaps: GapReason[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await bus.subscribe(
      topic,
      async ({ data }) => {
        got.push(data);
        await held;
      },
      { onGap: (reason) => gaps.push(reason) },
    );
    const seen: unknown[] = [];
    await bus.subscribe(topic, ({ data }) => void seen.push(data));
    for (let n = 0; n < 12; n += 1) {
      await bus.publish({ type: topic, source: 'test', data: n });
      await waitFor(() => seen.length === n + 1);
    }
    release();
    await waitFor(() => got.length === 6);
    expect(got).toEqual([0, 1, 2, 3, 4, 5]);
    expect(gaps).toEqual(['overflow']);
    await bus.close();
  });

  it('brings nothing more after unsubscribe, also from within the handler', async () => {
    const topic = newTopic();
    const got: string[] = [];
    const first = await buses.bus.subscribe(topic, () => {
      got.push('first');
      first.unsubscribe();
    });
    const second = await buses.bus.subscribe(topic, () => void got.push('second'));
    await buses.bus.publish({ type: topic, source: 'test' });
    await waitFor(() => got.length === 2);
    await buses.bus.publish({ type: topic, source: 'test' });
    await waitFor(() => got.length === 3);
    expect(got).toEqual(['first', 'second', 'second']);
    expect(buses.bus.unsubscribe(second.id)).toBe(true);
    expect(buses.bus.unsubscribe(second.id)).toBe(false);
    expect(buses.bus.unsubscribe(first.id)).toBe(false);
  });

  it.each([
    ['a type that is none', { type: 'Run.Completed', source: 's' }, 'type'],
    ['a pattern for a type', { type: 'run.*', source: 's' }, 'type'],
    ['too long a type', { type: 'a'.repeat(129), source: 's' }, 'type'],
    ['no source', { type: 'a', source: '' }, 'source'],
    [
      'a prototype in the data',
      { type: 'a', source: 's', data: JSON.parse('{"__proto__":1}') as object },
      'data',
    ],
    ['text nobody can store', { type: 'a', source: 's', data: { x: 'a\0' } }, 'data.x'],
  ])('refuses %s and names the field', async (_what, event, field) => {
    const refused: unknown = await buses.bus.publish(event as never).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ValidationError);
    const [issue] = (refused as ValidationError).issues;
    expect(issue?.field.startsWith(field)).toBe(true);
  });

  it('takes neither events nor subscribers once it is closed', async () => {
    const bus = buses.make();
    const got: BusEvent[] = [];
    await bus.subscribe('**', (event) => void got.push(event));
    await bus.close();
    await bus.close();
    await expect(bus.publish({ type: 'a', source: 's' })).rejects.toThrow(EventBusUnavailableError);
    await expect(bus.subscribe('a', () => undefined)).rejects.toThrow(EventBusUnavailableError);
    await buses.bus.publish({ type: 'a', source: 's' });
    expect(got).toEqual([]);
  });
});

describe('patterns', () => {
  it.each([
    ['run.completed', ['run.completed'], ['run', 'run.completed.x', 'run.failed']],
    ['run.*', ['run.completed', 'run.failed'], ['run', 'run.a.b', 'runs.a']],
    ['*', ['run'], ['run.a']],
    ['*.failed', ['run.failed', 'step.failed'], ['failed', 'run.step.failed']],
    ['run.**', ['run.a', 'run.a.b.c'], ['run', 'runs.a']],
    ['run.>', ['run.a', 'run.a.b.c'], ['run', 'step.a']],
    ['run.*.>', ['run.a.b', 'run.a.b.c'], ['run.a']],
    ['**', ['a', 'a.b.c'], []],
    ['>', ['a', 'a.b.c'], []],
  ])('%s', (pattern, wanted, unwanted) => {
    const matches = typeMatcher(pattern);
    expect(wanted.filter((type) => !matches(type))).toEqual([]);
    expect(unwanted.filter(matches)).toEqual([]);
  });

  it.each(['', '.', 'a.', '.a', 'a..b', 'A', 'a.**.b', '>.a', 'a*', 'run.%', 'a'.repeat(129)])(
    '%j is refused',
    (pattern) => expect(() => typeMatcher(pattern)).toThrow(ValidationError),
  );

  it('mean what their definition says, for any type', () => {
    const segment = fc.constantFrom('a', 'b', 'c');
    const type = fc.array(segment, { minLength: 1, maxLength: 4 });
    const pattern = fc.tuple(fc.array(fc.oneof(segment, fc.constant('*')), { maxLength: 3 }), fc.boolean());
    const means = ([head = '', ...rest]: string[], open: boolean, [first, ...others]: string[]): boolean => {
      if (head === '') return open ? first !== undefined : first === undefined;
      return first !== undefined && (head === '*' || head === first) && means(rest, open, others);
    };
    fc.assert(
      fc.property(type, pattern, (names, [parts, open]) => {
        fc.pre(parts.length > 0 || open);
        const matches = typeMatcher([...parts, ...(open ? ['**'] : [])].join('.'));
        expect(matches(names.join('.'))).toBe(means(parts, open, names));
      }),
    );
  });
});
