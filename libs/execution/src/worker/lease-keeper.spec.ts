import { describe, expect, it } from 'vitest';
import { WORKER_LIVE_SECONDS } from '@spine/database';
import { heartbeatPeriodMs } from './lease-keeper.ts';

describe('the pause between two heartbeats', () => {
  it('leaves a lease two more chances to be extended', () => {
    expect(heartbeatPeriodMs(30_000)).toBe(10_000);
    expect(heartbeatPeriodMs(6_000)).toBe(2_000);
  });

  it('is short enough for a worker to count as live, however long its leases are', () => {
    expect(heartbeatPeriodMs(3_600_000)).toBeLessThanOrEqual((WORKER_LIVE_SECONDS * 1_000) / 3);
  });
});
