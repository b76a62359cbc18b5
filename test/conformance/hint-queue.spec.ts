/**
 * One suite over every hint queue: what the engine may rely on, whatever carries the hints. Each test has a lane of
 * its own, so that they run at once.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { MAX_RUNS_PER_HINT } from '@spine/execution';
import type { Delivery, Hint, HintConsumer, HintQueue } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { openMemoryQueue, openPostgresQueue, openRedisQueue } from './queues.ts';
import type { OpenQueue } from './queues.ts';

const BACKENDS = [
  ['memory', openMemoryQueue],
  ['bullmq on Redis', openRedisQueue],
  ['bullmq on Postgres', openPostgresQueue],
] as const;

let lanes = 0;
const newLane = (): string => `lane-${(lanes += 1)}`;

function hint(lane: string, more: Partial<Hint> = {}): Hint {
  return { lane, priority: 2, runIds: [newId()], label: 'task:echo', delayMs: 0, ...more };
}

const DONE = { outcomes: { completed: 1 }, failure: null };

/** The next hint; an answer of null is asked again, as a worker does. */
function nextHint(consumer: HintConsumer): Promise<Delivery> {
  return waitFor(() => consumer.next(), { timeoutMs: 20_000, message: 'a hint' });
}

describe.concurrent.each(BACKENDS)('%s', (_, open) => {
  let opened: OpenQueue;
  let queue: HintQueue;
  const consumers: HintConsumer[] = [];
  beforeAll(async () => {
    opened = await open();
    queue = opened.queue;
  });
  afterAll(async () => {
    await Promise.all(consumers.map((consumer) => consumer.close()));
    await opened.close();
  });

  const consume = (lane: string): HintConsumer => {
    const consumer = queue.consume(lane);
    consumers.push(consumer);
    return consumer;
  };

  describe('carries hints', () => {
    it('from publish over consume to finish, and counts them on the way', async () => {
      const lane = newLane();
      const published = hint(lane, { priority: 1 });
      await queue.publish([published]);
      expect(await queue.counts(lane)).toEqual({
        waiting: 1,
        delayed: 0,
        active: 0,
        completed: 0,
        failed: 0,
      });
      const delivery = await nextHint(consume(lane));
      expect(delivery.runIds).toEqual(published.runIds);
      expect(delivery.priority).toBe(1);
      expect(await queue.counts(lane)).toEqual({
        waiting: 0,
        delayed: 0,
        active: 1,
        completed: 0,
        failed: 0,
      });
      await delivery.finish(DONE);
      expect(await queue.counts(lane)).toEqual({
        waiting: 0,
        delayed: 0,
        active: 0,
        completed: 1,
        failed: 0,
      });
    });

    it('with what was said of them', async () => {
      const lane = newLane();
      const consumer = consume(lane);
      for (const marks of [{}, { gated: true }, { early: true }, { gated: true, early: true }]) {
        await queue.publish([hint(lane, marks)]);
        const { gated, early } = await nextHint(consumer);
        expect({ gated, early }).toEqual({ gated: false, early: false, ...marks });
      }
    });

    it('to a consumer that waited for them', async () => {
      const lane = newLane();
      const waiting = nextHint(consume(lane));
      const published = hint(lane);
      await queue.publish([published]);
      expect((await waiting).runIds).toEqual(published.runIds);
    });

    it('of its own lane only', async () => {
      const [lane, other] = [newLane(), newLane()];
      const [mine, theirs] = [hint(lane), hint(other)];
      await queue.publish([theirs, mine]);
      expect((await nextHint(consume(lane))).runIds).toEqual(mine.runIds);
      expect(await queue.counts(other)).toMatchObject({ waiting: 1, active: 0 });
      expect((await nextHint(consume(other))).runIds).toEqual(theirs.runIds);
    });

    it('of many lanes at once', async () => {
      const many = Array.from({ length: 16 }, newLane);
      const waiting = many.map((lane) => nextHint(consume(lane)));
      const published = many.map((lane) => hint(lane));
      await queue.publish(published);
      expect((await Promise.all(waiting)).map(({ runIds }) => runIds)).toEqual(
        published.map(({ runIds }) => runIds),
      );
    });

    it('the most urgent first', async () => {
      const lane = newLane();
      await queue.publish([3, 0, 4, 1, 2].map((priority) => hint(lane, { priority })));
      await queue.publish([hint(lane, { priority: 0 })]);
      const consumer = consume(lane);
      const order: number[] = [];
      while (order.length < 6) order.push((await nextHint(consumer)).priority);
      expect(order).toEqual([0, 0, 1, 2, 3, 4]);
    });

    it('with a delay not before it is over, and others meanwhile', async () => {
      const lane = newLane();
      const consumer = consume(lane);
      const due = Date.now() + 700;
      const [late, now] = [hint(lane, { delayMs: 700 }), hint(lane)];
      await queue.publish([late]);
      expect(await queue.counts(lane)).toMatchObject({ waiting: 0, delayed: 1 });
      await queue.publish([now]);
      expect((await nextHint(consumer)).runIds).toEqual(now.runIds);
      const delivery = await nextHint(consumer);
      expect(delivery.runIds).toEqual(late.runIds);
      expect(Date.now()).toBeGreaterThanOrEqual(due);
      expect(await queue.counts(lane)).toMatchObject({ delayed: 0, active: 2 });
    });

    it('of as many runs as a hint may have, in order', async () => {
      const lane = newLane();
      const runIds = Array.from({ length: MAX_RUNS_PER_HINT }, newId);
      await queue.publish([hint(lane, { runIds })]);
      expect((await nextHint(consume(lane))).runIds).toEqual(runIds);
    });

    it('that name a run again, in one hint or in several', async () => {
      const lane = newLane();
      const runId = newId();
      const twice = hint(lane, { runIds: [runId, runId] });
      await queue.publish([twice, hint(lane, { runIds: [runId] })]);
      await queue.publish([twice]);
      const consumer = consume(lane);
      const seen: string[] = [];
      for (let deliveries = 0; deliveries < 3; deliveries += 1)
        seen.push(...(await nextHint(consumer)).runIds);
      expect(seen).toEqual(Array(5).fill(runId));
    });
  });

  describe('a lane without a hint to give', () => {
    it('answers null after a while, also while another consumer has one', async () => {
      const lane = newLane();
      const [first, second] = [consume(lane), consume(lane)];
      await queue.publish([hint(lane)]);
      await nextHint(first);
      // The first answer of some is immediate.
      for (let asked = 0; asked < 2; asked += 1) expect(await second.next()).toBeNull();
      expect(await queue.counts(lane)).toMatchObject({ active: 1 });
    });

    it('answers null while all it has is due much later, and keeps it', async () => {
      const lane = newLane();
      const consumer = consume(lane);
      await queue.publish([hint(lane, { delayMs: 3_600_000 })]);
      await consumer.next();
      expect(await consumer.next()).toBeNull();
      expect(await queue.counts(lane)).toMatchObject({ delayed: 1 });
      // Idle is not broken: a consumer that takes it for broken reconnects for ever.
      expect(opened.warnings()).toEqual([]);
    });
  });

  describe('a closed consumer', () => {
    it('answers null, also to a question that is under way', async () => {
      const consumer = queue.consume(newLane());
      await consumer.next();
      const pending = consumer.next();
      await consumer.close();
      expect(await pending).toBeNull();
      expect(await consumer.next()).toBeNull();
    });

    it('takes no hint away from the others, whether it has some in hand or not', async () => {
      const closed = async (inHand: boolean): Promise<{ lane: string; delivery: Delivery | null }> => {
        const lane = newLane();
        const gone = queue.consume(lane);
        if (inHand) await queue.publish([hint(lane)]);
        const delivery = inHand ? await nextHint(gone) : null;
        // Only the second of two questions is sure to wait.
        await gone.next();
        const pending = gone.next();
        await gone.close();
        await pending;
        return { lane, delivery };
      };
      const lanes = await Promise.all([closed(true), closed(false)]);
      const published = lanes.map(({ lane }) => hint(lane));
      await queue.publish(published);
      // A question that is asked later is answered: whatever the closed ones still waited for is over.
      const clock = consume(newLane());
      await clock.next();
      await clock.next();
      for (const { lane, runIds } of published)
        expect((await nextHint(consume(lane))).runIds).toEqual(runIds);
      for (const { delivery } of lanes) await delivery?.finish(DONE);
    });

    it('may be closed while hints run; they can still be finished', async () => {
      const lane = newLane();
      await queue.publish([hint(lane), hint(lane)]);
      const consumer = queue.consume(lane);
      const deliveries = [await nextHint(consumer), await nextHint(consumer)];
      await consumer.close();
      await deliveries[0]?.finish(DONE);
      await deliveries[1]?.finish({ outcomes: { dead_lettered: 1 }, failure: 'it broke' });
      expect(await queue.counts(lane)).toMatchObject({ active: 0, completed: 1, failed: 1 });
    });
  });

  describe('two consumers', () => {
    it('share the hints, each to one of them', async () => {
      const lane = newLane();
      const published = Array.from({ length: 30 }, () => hint(lane));
      await queue.publish(published);
      const seen: string[] = [];
      await Promise.all(
        [consume(lane), consume(lane)].map(async (consumer) => {
          while (seen.length < published.length) {
            const delivery = await consumer.next();
            if (delivery === null) continue;
            seen.push(...delivery.runIds);
            await delivery.finish(DONE);
          }
        }),
      );
      expect(seen.sort()).toEqual(published.flatMap(({ runIds }) => runIds).sort());
      expect(await queue.counts(lane)).toMatchObject({ waiting: 0, active: 0, completed: 30 });
    });
  });

  describe('a finished hint', () => {
    it('shows as failed when its report says so', async () => {
      const lane = newLane();
      await queue.publish([hint(lane), hint(lane)]);
      const consumer = consume(lane);
      await (await nextHint(consumer)).finish({ outcomes: { dead_lettered: 1 }, failure: 'it broke' });
      await (await nextHint(consumer)).finish(DONE);
      expect(await queue.counts(lane)).toMatchObject({ active: 0, completed: 1, failed: 1 });
      if (opened.finished !== null) {
        expect(await opened.finished(lane)).toMatchObject({
          reports: [{ completed: 1 }],
          failures: ['it broke'],
        });
      }
    });

    it('may be finished again without harm', async () => {
      const lane = newLane();
      await queue.publish([hint(lane)]);
      const delivery = await nextHint(consume(lane));
      await delivery.finish(DONE);
      await delivery.finish({ outcomes: {}, failure: 'too late' });
      expect(await queue.counts(lane)).toMatchObject({ active: 0, completed: 1, failed: 0 });
    });
  });

  it('can be used: its check passes', async () => {
    await queue.check();
  });
});

describe.concurrent.each(BACKENDS.slice(1))('%s, wiped while hints run', (_, open) => {
  it('forgets them; finishing them rejects nowhere, and new ones come through', async () => {
    const { queue, wipe, close } = await open();
    const lane = newLane();
    const consumer = queue.consume(lane);
    try {
      await queue.publish([hint(lane), hint(lane), hint(lane)]);
      const [first, second] = [await nextHint(consumer), await nextHint(consumer)];
      await wipe();
      await first.finish(DONE);
      await second.finish({ outcomes: { failed: 1 }, failure: 'it broke' });
      expect(await queue.counts(lane)).toEqual({
        waiting: 0,
        delayed: 0,
        active: 0,
        completed: 0,
        failed: 0,
      });
      const published = hint(lane);
      await queue.publish([published]);
      expect((await nextHint(consumer)).runIds).toEqual(published.runIds);
    } finally {
      await consumer.close();
      await close();
    }
  });
});
