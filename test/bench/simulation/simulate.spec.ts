import { describe, expect, it } from 'vitest';
import { Database } from './database.ts';
import { EventQueue } from './event-queue.ts';
import { groupCommitModel } from './group-commit.ts';
import { ENGINE, MEASURED } from './parameters.ts';
import type { Scenario } from './parameters.ts';
import { simulate } from './simulate.ts';
import { Station } from './station.ts';

const SMALL: Scenario = {
  seed: 7,
  workers: 2,
  slots: 20,
  submitters: 1,
  arrivals: 200,
  handlerMs: 50,
  postgresCores: 2,
  seconds: 8,
  warmUpSeconds: 2,
  costs: MEASURED,
};

describe('virtual time', () => {
  it('lets things happen in the order of their time, then of their scheduling', () => {
    const events = new EventQueue();
    const seen: string[] = [];
    for (const [at, name] of [
      [5, 'c'],
      [1, 'a'],
      [5, 'd'],
      [3, 'b'],
      [9, 'never'],
    ] as const) {
      events.after(at, () => seen.push(`${name}${events.now}`));
    }
    events.runUntil(8);
    expect(seen).toEqual(['a1', 'b3', 'c5', 'd5']);
    expect(events.now).toBe(8);
  });

  it('stays in order with many entries', () => {
    const events = new EventQueue();
    const seen: number[] = [];
    for (let index = 0; index < 1_000; index += 1) {
      events.after((index * 7919) % 1_009, () => seen.push(events.now));
    }
    events.runUntil(2_000);
    expect(seen).toHaveLength(1_000);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
});

describe('a station', () => {
  it('serves as many at once as it has servers, the others in order', () => {
    const events = new EventQueue();
    const station = new Station(events, 2);
    const done: string[] = [];
    for (const name of ['a', 'b', 'c']) station.work(10, () => done.push(`${name}${events.now}`));
    expect(station.waiting).toBe(1);
    events.runUntil(100);
    expect(done).toEqual(['a10', 'b10', 'c20']);
    expect(station.worked).toBe(30);
  });
});

describe('the log', () => {
  it('is flushed once for all commits that wait together', () => {
    const events = new EventQueue();
    const database = new Database(events, MEASURED, 64);
    const cost = { once: 0.01, each: 0, log: 100 };
    for (let index = 0; index < 10; index += 1) {
      database.execute('insert', [{ cost, items: 1 }], () => undefined);
    }
    events.runUntil(100);
    // The first goes alone, the nine others while it is under way.
    expect(database.flushes).toBe(2);
    expect(database.countOf('insert').statements).toBe(10);
  });
});

describe('group commit', () => {
  it('writes what came while a statement was under way with the next one', () => {
    const sizes: number[] = [];
    const pending: (() => void)[] = [];
    const commits = groupCommitModel<number>({
      inFlight: 1,
      maxItems: 3,
      flush: (items, done) => {
        sizes.push(items.length);
        pending.push(done);
      },
    });
    for (let index = 0; index < 6; index += 1) commits.push(index);
    while (pending.length > 0) pending.shift()?.();
    expect(sizes).toEqual([1, 3, 2]);
  });
});

describe('the model', () => {
  it('has one outcome for one seed, and another for another', () => {
    expect(simulate(SMALL)).toEqual(simulate(SMALL));
    expect(simulate({ ...SMALL, seed: 8 })).not.toEqual(simulate(SMALL));
  });

  it('finishes what it takes while the slots suffice', () => {
    const result = simulate(SMALL);
    expect(result.backlog).toBeLessThan(SMALL.workers * SMALL.slots);
    expect(result.throughput).toBeGreaterThan(SMALL.arrivals * 0.9);
    expect(result.throughput).toBeLessThan(SMALL.arrivals * 1.1);
  });

  it('does no more than the slots can hold', () => {
    const result = simulate({ ...SMALL, arrivals: 5_000 });
    const slotsAllow = (SMALL.workers * SMALL.slots * 1000) / SMALL.handlerMs;
    expect(result.throughput).toBeLessThan(slotsAllow * 1.05);
    expect(result.throughput).toBeGreaterThan(slotsAllow * 0.7);
    expect(result.backlog).toBeGreaterThan(0);
  });

  it('does no more than the cores of Postgres can', () => {
    const result = simulate({
      ...SMALL,
      workers: 50,
      slots: 200,
      handlerMs: 5,
      arrivals: 60_000,
      postgresCores: 1,
    });
    expect(result.postgresRuns + result.postgresUpkeep).toBeGreaterThan(0.9);
    expect(result.postgresRuns + result.postgresUpkeep).toBeLessThan(1.1);
    expect(result.throughput).toBeLessThan(60_000 / 2);
  });

  it('cuts hints together that are announced while others are on their way', () => {
    const many = { ...SMALL, workers: 200, slots: 50, handlerMs: 500, arrivals: 8_000, postgresCores: 16 };
    // One hint a run would ask Redis for 1.6 seconds of work each second.
    expect(many.arrivals * MEASURED.redisHint).toBeGreaterThan(1_000);
    expect(simulate(many).throughput).toBeGreaterThan(many.arrivals * 0.9);
  });

  it('counts what idle workers ask for', () => {
    const idle = simulate({ ...SMALL, workers: 100, arrivals: 1, seconds: 60, warmUpSeconds: 20 });
    const { heartbeatMs, pollMs, pollStatements, controlMs, controlStatements } = ENGINE;
    const each =
      1_000 / heartbeatMs + (pollStatements * 1_000) / pollMs + (controlStatements * 1_000) / controlMs;
    expect(idle.upkeepStatements).toBeGreaterThan(100 * each * 0.9);
    expect(idle.upkeepStatements).toBeLessThan(100 * each * 1.1 + 2);
  });

  it('hints runs again that nobody has taken', () => {
    const late = simulate({ ...SMALL, workers: 1, slots: 1, handlerMs: 1_000, arrivals: 20, seconds: 40 });
    const soon = simulate({ ...SMALL, workers: 1, slots: 1, handlerMs: 1_000, arrivals: 20, seconds: 10 });
    expect(late.postgresUpkeep).toBeGreaterThan(soon.postgresUpkeep);
  });
});
