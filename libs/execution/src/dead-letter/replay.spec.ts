import { describe, expect, it } from 'vitest';
import { newRun } from '../spec/new-run.ts';
import { taskSpec } from '../spec/work-spec.ts';
import { chunksOf } from './replay.ts';

const plain = (count: number) => Array.from({ length: count }, () => ({ run: newRun(taskSpec('echo')) }));
const singleton = (singletonKey: string) => ({ run: newRun(taskSpec('echo', {}, { singletonKey })) });

describe('chunks of runs that are stored together', () => {
  it('hold a hundred at the most, in order', () => {
    const items = plain(250);
    const chunks = chunksOf(items);
    expect(chunks.map((chunk) => chunk.length)).toEqual([100, 100, 50]);
    expect(chunks.flat()).toEqual(items);
    expect(chunksOf([])).toEqual([]);
  });

  it('hold a run with a singleton key by itself: no transaction takes the locks of two keys', () => {
    const items = [singleton('a'), ...plain(2), singleton('b'), singleton('a')];
    const chunks = chunksOf(items);
    expect(chunks.map((chunk) => chunk.length)).toEqual([2, 1, 1, 1]);
    expect(chunks.slice(1).flat()).toEqual([items[0], items[3], items[4]]);
  });
});
