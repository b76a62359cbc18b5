/** How values of the API look in tables. */
import { jsonText } from './printable.ts';
import type { Style } from './table.ts';

/** `2026-01-02 03:04:05Z`: to the second, in UTC. */
export function timeCell(instant: string | null | undefined): string | null {
  return instant === null || instant === undefined ? null : `${instant.slice(0, 19).replace('T', ' ')}Z`;
}

/** `850 ms`, `12.3 s`, `4 m 05 s`, `2 h 03 m`, `3 d 04 h`. */
export function durationCell(ms: number | null | undefined): string | null {
  if (ms === null || ms === undefined) return null;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** A partition key as `date=2026-01-02 tier=OTC`. */
export function keyCell(key: Readonly<Record<string, unknown>> | null): string | null {
  if (key === null) return null;
  const entries = Object.entries(key);
  if (entries.length === 0) return '{}';
  return entries
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : jsonText(value)}`)
    .join(' ');
}

/** A share as `97.5 %`. */
export function shareCell(share: number | null): string | null {
  return share === null ? null : `${(Math.floor(share * 1_000) / 10).toFixed(1)} %`;
}

/** A count that was not counted to its end. */
export function countCell(count: number, isCapped: boolean): string {
  return isCapped ? `${count}+` : String(count);
}

const STYLES: Readonly<Record<string, Style>> = {
  completed: 'green',
  running: 'cyan',
  queued: 'blue',
  pending: 'blue',
  paused: 'yellow',
  cancelled: 'yellow',
  failed: 'red',
  timed_out: 'red',
  dead_lettered: 'red',
  active: 'green',
  draining: 'yellow',
  stopped: 'dim',
  expired: 'yellow',
  revoked: 'red',
  pass: 'green',
  warn: 'yellow',
  fail: 'red',
  error: 'red',
  critical: 'red',
  fatal: 'red',
  warning: 'yellow',
  done: 'green',
  fired: 'green',
  skipped: 'yellow',
  missed: 'red',
};

/** Of a state, whatever it is of. */
export function stateStyle(state: string | null): Style | undefined {
  return state === null ? undefined : STYLES[state.toLowerCase()];
}
