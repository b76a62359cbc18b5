import type { PageOf, RunEvent, RunLog } from '@spine/sdk';
import { describe, expect, it } from 'vitest';
import { followLogs } from './follow-logs.ts';
import type { LogSource } from './follow-logs.ts';

function line(id: number): RunLog {
  return {
    log_id: String(id),
    run_id: 'r',
    attempt: 1,
    epoch: 1,
    level: 'info',
    message: `line ${id}`,
    fields: null,
    timestamp: '2026-01-02T03:04:05.678Z',
  };
}

/** Lines in pages of two, as the API gives them: the cursor of a page is its last line. */
function pageOf(lines: readonly RunLog[], cursor: string | null): PageOf<RunLog> {
  const rest = lines.filter(({ log_id }) => cursor === null || Number(log_id) > Number(cursor));
  const data = rest.slice(0, 2);
  const has_more = rest.length > 2;
  return {
    data,
    page: {
      total: lines.length,
      total_is_capped: false,
      limit: 2,
      offset: 0,
      has_more,
      page: 1,
      total_pages: 1,
      has_prev: false,
      next_cursor: has_more ? (data.at(-1)?.log_id ?? null) : null,
    },
  };
}

const EVENT: RunEvent = {
  event_id: '1',
  run_id: 'r',
  event_type: 'progress',
  timestamp: '2026-01-02T03:04:05.678Z',
  data: {},
  source: 'worker',
  epoch: 1,
  terminal: false,
};

async function* silence(signal: AbortSignal): AsyncGenerator<RunEvent, void, undefined> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  yield* [];
}

async function broken(): Promise<never> {
  return Promise.reject(new Error('no streams here'));
}

describe('following logs', () => {
  it('gives each line once, also those that come to a page that was read, and those of the end', async () => {
    const lines = [line(1), line(2), line(3)];
    const looks: (readonly RunLog[])[] = [[line(4)], [], [line(5), line(6)]];
    const source: LogSource = {
      page: (cursor) => Promise.resolve(pageOf(lines, cursor)),
      hasEnded: () => {
        const more = looks.shift();
        lines.push(...(more ?? []));
        return Promise.resolve(looks.length === 0);
      },
      events: async function* (signal) {
        while (!signal.aborted) {
          yield EVENT;
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    };
    const seen: string[] = [];
    for await (const { log_id } of followLogs(source, new AbortController().signal)) seen.push(log_id);
    expect(seen).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('finds the end where events cannot be followed', async () => {
    const source: LogSource = {
      page: (cursor) => Promise.resolve(pageOf([line(1)], cursor)),
      hasEnded: () => Promise.resolve(true),
      events: async function* () {
        yield await broken();
      },
    };
    const seen: string[] = [];
    for await (const { log_id } of followLogs(source, new AbortController().signal)) seen.push(log_id);
    expect(seen).toEqual(['1']);
  });

  it('ends with the reason of the signal while it waits', async () => {
    const controller = new AbortController();
    const source: LogSource = {
      page: () => {
        controller.abort(new Error('enough'));
        return Promise.resolve(pageOf([], null));
      },
      hasEnded: () => Promise.resolve(false),
      events: silence,
    };
    await expect(followLogs(source, controller.signal).next()).rejects.toThrow('enough');
  });
});
