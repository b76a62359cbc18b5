import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLogger, Metrics, silentLogger } from '@spine/observability';
import { LoopWatchdog } from './watchdog.ts';
import type { LoopWatchdogOptions } from './watchdog.ts';

const WAIT = { timeout: 10_000, interval: 5 } as const;

let watchdog: LoopWatchdog;
afterEach(() => watchdog.stop());

function watch(options: Partial<LoopWatchdogOptions> = {}): Metrics {
  const metrics = new Metrics('test');
  watchdog = new LoopWatchdog({ logger: silentLogger(), metrics, everyMs: 5, ...options });
  watchdog.start();
  return metrics;
}

function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Looks so far, and those that found a lag of more than `seconds`. */
async function looks(metrics: Metrics, seconds: number): Promise<{ all: number; late: number }> {
  const { values } = await metrics.loopLag.get();
  const valueOf = (name: string, le?: number): number =>
    values.find((value) => value.metricName === name && value.labels.le === le)?.value ?? 0;
  const all = valueOf('spine_event_loop_lag_seconds_count');
  return { all, late: all - valueOf('spine_event_loop_lag_seconds_bucket', seconds) };
}

describe('the event-loop watchdog', () => {
  it('sees a block as long as it was, and goes on looking', async () => {
    const metrics = watch();
    await vi.waitFor(async () => expect((await looks(metrics, 0.1)).all).toBeGreaterThan(0), WAIT);
    const before = await looks(metrics, 0.1);
    standStill(300);
    await vi.waitFor(
      async () => expect((await looks(metrics, 0.1)).all).toBeGreaterThan(before.all + 1),
      WAIT,
    );
    expect((await looks(metrics, 0.1)).late).toBeGreaterThan(before.late);
  });

  it('warns of a block with how long it was, and not of every one', async () => {
    const lines: { msg: string; lag_ms: number }[] = [];
    const logger = createLogger({
      service: 'test',
      level: 'warn',
      destination: { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) },
    });
    const metrics = watch({ logger, warnMs: 100 });
    standStill(150);
    await vi.waitFor(() => expect(lines).not.toEqual([]), WAIT);
    expect(lines[0]?.msg).toContain('the event loop was blocked');
    expect(lines[0]?.lag_ms).toBeGreaterThanOrEqual(100);
    const { late } = await looks(metrics, 0.1);
    standStill(150);
    await vi.waitFor(async () => expect((await looks(metrics, 0.1)).late).toBeGreaterThan(late), WAIT);
    expect(lines).toHaveLength(1);
  });

  it('stops when it is told to', async () => {
    const metrics = watch();
    await vi.waitFor(async () => expect((await looks(metrics, 1)).all).toBeGreaterThan(0), WAIT);
    watchdog.stop();
    const { all } = await looks(metrics, 1);
    // A timer that is due later than the watchdog's next one would be.
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await looks(metrics, 1)).all).toBe(all);
  });
});
