/** What every payload store must do, wherever it keeps the texts. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { insertRuns } from '@spine/database';
import type { PayloadKey, PayloadSlot } from '@spine/database';
import {
  formatRef,
  newRun,
  PayloadCorruptError,
  PayloadMissingError,
  Payloads,
  PayloadUnavailableError,
  refOf,
  sweepPayloads,
  taskSpec,
} from '@spine/execution';
import type { PayloadStore } from '@spine/execution';
import { openDirectoryStore, openPostgresStore } from './payload-stores.ts';
import type { OpenStore } from './payload-stores.ts';

const LIMITS = { inlineBytes: 10, maxBytes: 1_000_000 };

const params = (runId: string = newId()): PayloadKey => ({ runId, slot: 'params' });
const result = (runId: string, epoch: number): PayloadKey => ({ runId, slot: `result:${epoch}` });

async function keysOf(store: PayloadStore, minAgeMs: number): Promise<PayloadKey[]> {
  const keys: PayloadKey[] = [];
  for await (const page of store.list(minAgeMs)) keys.push(...page);
  return keys;
}

describe.each([
  ['Postgres', openPostgresStore],
  ['a folder', openDirectoryStore],
] as const)('payloads in %s', (_, open) => {
  let place: OpenStore;
  let store: PayloadStore;
  let payloads: Payloads;
  beforeAll(async () => {
    place = await open();
    store = place.store;
    payloads = new Payloads(LIMITS, store);
  });
  beforeEach(async () => {
    for (const key of await keysOf(store, -60_000)) await store.delete(key);
  });
  afterAll(() => place.close());

  const large = () => newRun(taskSpec('echo', { text: 'more than fits' }));

  describe('the store', () => {
    it('gives back what it was given, character by character', async () => {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
          const key = params();
          const json = JSON.stringify(text);
          await store.put(key, json);
          expect(await place.elsewhere.get(key)).toBe(json);
        }),
        { numRuns: 30 },
      );
    });

    it('takes ten million characters', async () => {
      const key = params();
      const text = JSON.stringify('語𝄞"\\'.repeat(2_000_000));
      await store.put(key, text);
      expect((await store.get(key)) === text).toBe(true);
    });

    it('keeps runs and slots apart', async () => {
      const runId = newId();
      const keys = [params(runId), result(runId, 1), result(runId, 12), params()];
      await Promise.all(keys.map((key, index) => store.put(key, String(index))));
      expect(await Promise.all(keys.map((key) => store.get(key)))).toEqual(['0', '1', '2', '3']);
      await store.delete(result(runId, 1));
      expect(await Promise.all(keys.map((key) => store.get(key)))).toEqual(['0', null, '2', '3']);
    });

    it('replaces a text whole, however many write it at once', async () => {
      const key = params();
      const texts = Array.from({ length: 8 }, (_, index) => JSON.stringify(String(index).repeat(200_000)));
      await store.put(key, texts[0] ?? '');
      let writing = true;
      const reading = (async () => {
        while (writing) expect(texts.includes((await place.elsewhere.get(key)) ?? 'none')).toBe(true);
      })();
      await Promise.all(
        texts.map((text, index) => (index % 2 === 0 ? store : place.elsewhere).put(key, text)),
      );
      writing = false;
      await reading;
    });

    it('has nothing of what was never put or is deleted, and deletes it again without a word', async () => {
      const key = params();
      expect(await store.get(key)).toBeNull();
      await store.put(key, '1');
      await store.delete(key);
      await store.delete(key);
      expect(await store.get(key)).toBeNull();
    });

    it('copies for another run, and says when there is nothing to copy', async () => {
      const [from, to] = [params(), params()];
      expect(await store.copy(from, to)).toBe(false);
      await store.put(from, '"text"');
      expect(await store.copy(from, to)).toBe(true);
      await store.delete(from);
      expect(await store.get(to)).toBe('"text"');
    });

    it.each(['../x', 'params/../../x', 'result:', 'result:1/2', '', 'PARAMS'])(
      'takes no slot %j',
      async (slot) => {
        await expect(store.put({ runId: newId(), slot: slot as PayloadSlot }, '1')).rejects.toThrow();
        expect(await keysOf(store, -60_000)).toEqual([]);
      },
    );

    it.each(['../../etc/passwd', '', 'x/y', `${newId()}/..`])('takes no run %j', async (runId) => {
      await expect(store.put(params(runId), '1')).rejects.toThrow();
      expect(await keysOf(store, -60_000)).toEqual([]);
    });

    it('lists what is older than asked for', async () => {
      const runId = newId();
      await store.put(params(runId), '1');
      await store.put(result(runId, 7), '1');
      expect(await keysOf(store, 3_600_000)).toEqual([]);
      await place.age();
      await store.put(params(), '1');
      expect((await keysOf(store, 3_600_000)).map(({ slot }) => slot).sort()).toEqual(['params', 'result:7']);
    });

    it('says that it is unavailable when its place is gone', async () => {
      const ruined = await open();
      try {
        await ruined.ruin();
        const key = params();
        await expect(ruined.store.put(key, '1')).rejects.toThrow(PayloadUnavailableError);
        await expect(ruined.store.get(key)).rejects.toThrow(PayloadUnavailableError);
        await expect(ruined.store.copy(key, params())).rejects.toThrow(PayloadUnavailableError);
        await expect(ruined.store.delete(key)).rejects.toThrow(PayloadUnavailableError);
        await expect(keysOf(ruined.store, 0)).rejects.toThrow(PayloadUnavailableError);
      } finally {
        await ruined.close();
      }
    });
  });

  describe('a run', () => {
    it('keeps what is small, and gives what is large to the store', async () => {
      const small = newRun(taskSpec('echo', { a: 1 }));
      expect(await payloads.stow(small)).toBe(small);
      const run = large();
      const stowed = await payloads.stow(run);
      expect(stowed).toEqual({
        ...run,
        paramsRef: formatRef(refOf(store.scheme, 'params', run.params)),
        params: expect.stringMatching(/^\{"\$omitted":\{"bytes":\d+,"sha256":"[0-9a-f]{64}"\}\}$/) as string,
      });
      expect(await payloads.params({ ...stowed, params: JSON.parse(stowed.params) as unknown })).toEqual({
        text: 'more than fits',
      });
    });

    it('keeps the results of two attempts apart', async () => {
      const { runId } = large();
      const first = await payloads.stowResult(runId, 1, '"the first result"');
      const second = await payloads.stowResult(runId, 2, '"the second result"');
      expect(await payloads.stowResult(runId, 3, '"small"')).toEqual({ result: '"small"' });
      expect(await payloads.stowResult(runId, 3, null)).toEqual({ result: null });
      expect(first).not.toEqual(second);
      expect(await store.get(result(runId, 1))).toBe('"the first result"');
      expect(await store.get(result(runId, 2))).toBe('"the second result"');
    });

    it('is told that its params are gone, or not what they were', async () => {
      const stowed = await payloads.stow(large());
      const has = { runId: stowed.runId, params: {}, paramsRef: stowed.paramsRef };
      await place.tamper(params(stowed.runId), '{"text":"more than fits!"}');
      await expect(payloads.params(has)).rejects.toThrow(PayloadCorruptError);
      await store.delete(params(stowed.runId));
      await expect(payloads.params(has)).rejects.toThrow(PayloadMissingError);
      // A folder may only not be mounted here; what the database has not got is gone.
      await expect(payloads.params(has)).rejects.toMatchObject({ retryable: store.scheme === 'file' });
    });

    it('that does another’s work has params of its own', async () => {
      const old = await payloads.stow(large());
      const next = await payloads.copyParams({ ...old, params: {} }, large());
      expect(next).toMatchObject({ params: old.params, paramsRef: old.paramsRef });
      payloads.discard(old.runId, old.paramsRef);
      expect(await payloads.params({ ...next, params: {} })).toEqual({ text: 'more than fits' });
      await store.delete(params(old.runId));
      await expect(payloads.copyParams({ ...old, params: {} }, large())).rejects.toThrow(PayloadMissingError);
    });

    it('is read where its payload is, also when new ones are kept elsewhere', async () => {
      const stowed = await payloads.stow(large());
      const has = { ...stowed, params: {} };
      const otherPlace = await (store.scheme === 'pg' ? openDirectoryStore() : openPostgresStore());
      try {
        const moved = new Payloads(LIMITS, otherPlace.store, [store]);
        expect(await moved.params(has)).toEqual({ text: 'more than fits' });
        const without = new Payloads(LIMITS, otherPlace.store);
        await expect(without.params(has)).rejects.toMatchObject({
          name: 'PayloadMissingError',
          retryable: true,
        });
      } finally {
        await otherPlace.close();
      }
    });
  });

  describe('a sweep', () => {
    const sweep = () => sweepPayloads(place.pool, store);

    it('removes what no run names, once it is old, and nothing else', async () => {
      const kept = await payloads.stow(large());
      await insertRuns(place.pool, [kept], { ambiguous: false, hinted: false });
      // May be named by the attempt that runs.
      await payloads.stowResult(kept.runId, 1, '"the result of an attempt"');
      const refused = await payloads.stow(large());
      // Submitted with small params; nobody knows where these come from.
      const other = newRun(taskSpec('echo'));
      await insertRuns(place.pool, [other], { ambiguous: false, hinted: false });
      await store.put(params(other.runId), '"stray"');
      expect(await sweep()).toBe(0);
      await place.age();
      const young = await payloads.stow(large());
      expect(await sweep()).toBe(2);
      expect(await store.get(params(refused.runId))).toBeNull();
      expect(await store.get(params(other.runId))).toBeNull();
      expect(await store.get(params(kept.runId))).not.toBeNull();
      expect(await store.get(result(kept.runId, 1))).not.toBeNull();
      expect(await store.get(params(young.runId))).not.toBeNull();
      expect(await sweep()).toBe(0);
    });

    it('removes the results of attempts that were not accepted, once the run has ended', async () => {
      const run = newRun(taskSpec('echo'));
      await insertRuns(place.pool, [run], { ambiguous: false, hinted: false });
      await payloads.stowResult(run.runId, 1, '"of a lost attempt"');
      const stored = await payloads.stowResult(run.runId, 12, '"of the one that counts"');
      if (!('resultRef' in stored)) throw new Error('not stored outside');
      await place.pool.query(
        `UPDATE runs SET status = 'completed', completed_at = now(), dispatch_after = NULL, result_ref = $2 WHERE id = $1`,
        [run.runId, stored.resultRef],
      );
      await place.age();
      expect(await sweep()).toBe(1);
      expect(await store.get(result(run.runId, 1))).toBeNull();
      expect(await store.get(result(run.runId, 12))).toBe('"of the one that counts"');
    });

    it('goes through more than one page', async () => {
      await Promise.all(Array.from({ length: 600 }, () => store.put(params(), '1')));
      await place.age();
      expect(await sweep()).toBe(600);
      expect(await keysOf(store, -60_000)).toEqual([]);
    });
  });
});
