import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from '@spine/core';
import { silentLogger } from '@spine/observability';
import { describeRecycle, Recycler, recycleReason } from './recycle.ts';
import type { RecyclerOptions } from './recycle.ts';

const MB = 1024 * 1024;
const OFF = { maxRssMb: 0, maxRuns: 0 } as const;

describe('the reason to replace a worker', () => {
  it('is none while no limit is set, whatever it uses', () => {
    expect(recycleReason(OFF, { rssBytes: 1e12, begun: 1e9 })).toBeNull();
  });

  it('is memory over its limit, and not at it', () => {
    const limits = { ...OFF, maxRssMb: 256 };
    expect(recycleReason(limits, { rssBytes: 256 * MB, begun: 0 })).toBeNull();
    expect(recycleReason(limits, { rssBytes: 256 * MB + 1, begun: 0 })).toEqual({
      type: 'memory',
      rssMb: 257,
      limitMb: 256,
    });
  });

  it('is the number of runs it may begin', () => {
    const limits = { ...OFF, maxRuns: 10 };
    expect(recycleReason(limits, { rssBytes: 1e12, begun: 9 })).toBeNull();
    expect(recycleReason(limits, { rssBytes: 0, begun: 10 })).toEqual({ type: 'runs', begun: 10, limit: 10 });
  });

  it('names the setting that a person would change', () => {
    expect(describeRecycle({ type: 'memory', rssMb: 300, limitMb: 256 })).toBe(
      'it uses 300 MiB, more than 256 MiB (SPINE_WORKER_MAX_RSS_MB)',
    );
    expect(describeRecycle({ type: 'runs', begun: 10, limit: 10 })).toContain('SPINE_WORKER_MAX_RUNS');
    expect(describeRecycle({ type: 'drain' })).toBe('it was asked to');
  });
});

describe('the recycler', () => {
  let recycler: Recycler;
  afterEach(() => recycler.stop());
  function make(options: Partial<RecyclerOptions>): Recycler {
    recycler = new Recycler({ ...OFF, logger: silentLogger(), begun: () => 0, everyMs: 1, ...options });
    return recycler;
  }

  it('asks once the process is over a limit', async () => {
    let rss = 100;
    make({ maxRssMb: 200, rssBytes: () => (rss += 60) * MB }).start();
    expect(await recycler.wanted).toEqual({ type: 'memory', rssMb: 220, limitMb: 200 });
  });

  it('counts the runs that were begun', async () => {
    let begun = 0;
    make({ maxRuns: 3, begun: () => (begun += 1) }).start();
    expect(await recycler.wanted).toMatchObject({ type: 'runs', begun: 3 });
  });

  it('looks at the memory of this very process', async () => {
    const rssMb = Math.ceil(process.memoryUsage.rss() / MB);
    make({ maxRssMb: rssMb + 64 }).start();
    const kept = Buffer.alloc(128 * MB, 1);
    expect(await recycler.wanted).toMatchObject({ type: 'memory', limitMb: rssMb + 64 });
    expect(kept.at(-1)).toBe(1);
  });

  it('keeps the first reason', async () => {
    make({});
    recycler.request({ type: 'drain' });
    recycler.request({ type: 'runs', begun: 1, limit: 1 });
    expect(await recycler.wanted).toEqual({ type: 'drain' });
  });

  it('refuses a limit that the process is over before it has done anything', () => {
    make({ maxRssMb: 128, rssBytes: () => 150 * MB });
    expect(() => recycler.start()).toThrow(ConfigError);
    expect(() => recycler.start()).toThrow(
      'SPINE_WORKER_MAX_RSS_MB: given 128; this process uses 150 MiB before its first run',
    );
  });
});
