import { describe, expect, it } from 'vitest';
import { createStopRequest, StopRequested } from './stop-request.ts';

function pressed(...times: number[]) {
  let now = 0;
  let forced = 0;
  const stop = createStopRequest(() => now);
  stop.onForce = () => (forced += 1);
  for (const time of times) {
    now = time;
    stop.request('SIGINT');
  }
  return { stop, forced };
}

describe('a request to stop', () => {
  it('aborts once, with its reason', () => {
    const { stop, forced } = pressed(5);
    expect(stop.signal.aborted).toBe(true);
    expect(stop.signal.reason).toBeInstanceOf(StopRequested);
    expect(stop.reason).toBe('SIGINT');
    expect(forced).toBe(0);
  });

  it('that arrives by several ways is one request', () => {
    expect(pressed(0, 3, 40, 999).forced).toBe(0);
  });

  it('that is repeated later asks for force', () => {
    expect(pressed(0, 2, 1_000).forced).toBe(1);
    expect(pressed(0, 1_500, 1_502, 4_000).forced).toBe(1);
  });

  it('has no reason before it came', () => {
    const stop = createStopRequest();
    expect(stop.signal.aborted).toBe(false);
    expect(stop.reason).toBeUndefined();
  });
});
