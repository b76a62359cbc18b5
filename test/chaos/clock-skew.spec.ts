import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** How far the clocks of a process are from its monotonic one, in whole minutes. */
const PROGRAM = `
  const real = performance.timeOrigin + performance.now();
  const minutes = (ms) => Math.round((ms - real) / 60_000);
  console.log(JSON.stringify([minutes(Date.now()), minutes(new Date().getTime()), minutes(Date.parse(Date())),
    new Date(0).toISOString(), new Date(2026, 0).getFullYear(), new Date() instanceof Date]));`;

function skewed(minutes: number): unknown {
  const preload = new URL(`./clock-skew.ts?skew_ms=${minutes * 60_000}`, import.meta.url).href;
  return JSON.parse(
    execFileSync(process.execPath, ['--import', preload, '--eval', PROGRAM], { encoding: 'utf8' }),
  );
}

describe('the clock preload', () => {
  it.each([5, -5, 0])('shifts every clock reading by %i minutes, and no other date', (minutes) => {
    expect(skewed(minutes)).toEqual([minutes, minutes, minutes, '1970-01-01T00:00:00.000Z', 2026, true]);
  });
});
