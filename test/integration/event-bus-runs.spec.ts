/** Events of runs on the bus, from streams that say what they are told to. With a database: event-bus.spec.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import { LiveEvent, MemoryEventBus, RunEventSource, EventBusUnavailableError } from '@spine/execution';
import type { BusEvent, GapReason, OpenOutcome, StreamItem } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';

function batch(id: number, eventType: string): StreamItem {
  const event = new LiveEvent({
    eventId: String(id),
    runId: 'r',
    epoch: 2,
    eventType,
    terminal: false,
    timestamp: new Date(0),
    data: { rows: 3 },
    source: 'worker',
  });
  return { type: 'events', events: [event], cursor: id };
}

/** Streams that say what they are told to, one after the other; the last one stays open until it is left. */
class ScriptedStreams {
  opened = 0;
  closed = 0;
  readonly #scripts: (readonly StreamItem[] | 'too_many')[];

  constructor(...scripts: (readonly StreamItem[] | 'too_many')[]) {
    this.#scripts = scripts;
  }

  open(_request: unknown, signal: AbortSignal): Promise<OpenOutcome> {
    const script = this.#scripts[this.opened] ?? [];
    this.opened += 1;
    if (script === 'too_many') return Promise.resolve({ type: 'too_many', maxStreams: 1 });
    const close = (): Promise<void> => {
      this.closed += 1;
      return Promise.resolve();
    };
    return Promise.resolve({ type: 'open', stream: { cursor: 0, items: itemsOf(script, signal), close } });
  }
}

async function* itemsOf(script: readonly StreamItem[], signal: AbortSignal): AsyncGenerator<StreamItem> {
  yield* script;
  if (script.some(({ type }) => type === 'end')) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

const buses: MemoryEventBus[] = [];
afterEach(() => Promise.all(buses.splice(0).map((bus) => bus.close())));

function busOver(streams: ScriptedStreams): MemoryEventBus {
  const logger = silentLogger();
  const bus = new MemoryEventBus({ logger, source: new RunEventSource({ streams, logger, pauseMs: 10 }) });
  buses.push(bus);
  return bus;
}

describe('events of runs on the bus', () => {
  it('are what the stream has, with the run they belong to', async () => {
    const got: BusEvent[] = [];
    await busOver(new ScriptedStreams([batch(7, 'completed')])).subscribe(
      'run.*',
      (event) => void got.push(event),
    );
    await waitFor(() => got.length > 0);
    expect(got).toEqual([
      {
        eventId: '7',
        type: 'run.completed',
        source: 'worker',
        timestamp: '1970-01-01T00:00:00.000Z',
        data: { run_id: 'r', epoch: 2, terminal: false, data: { rows: 3 } },
      },
    ]);
  });

  it('are followed while somebody may want them, once for all, and again later', async () => {
    const streams = new ScriptedStreams();
    const bus = busOver(streams);
    await bus.subscribe('quality.**', () => undefined);
    expect(streams.opened).toBe(0);
    const first = await bus.subscribe('run.completed', () => undefined);
    const second = await bus.subscribe('>', () => undefined);
    expect(streams.opened).toBe(1);
    first.unsubscribe();
    expect(streams.closed).toBe(0);
    second.unsubscribe();
    await waitFor(() => streams.closed === 1);
    await bus.subscribe('*.failed', () => undefined);
    expect(streams.opened).toBe(2);
  });

  it('that break off are followed anew, and the gap is told', async () => {
    const end: StreamItem = { type: 'end', reason: 'too_slow' };
    const got: string[] = [];
    const gaps: GapReason[] = [];
    const bus = busOver(new ScriptedStreams([batch(1, 'started'), end], 'too_many', [batch(9, 'completed')]));
    await bus.subscribe('run.**', ({ type }) => void got.push(type), {
      onGap: (reason) => gaps.push(reason),
    });
    await waitFor(() => got.length === 2);
    expect(got).toEqual(['run.started', 'run.completed']);
    expect(gaps).toEqual(['reconnected']);
  });

  it('that cannot be followed leave no subscription behind', async () => {
    const streams = new ScriptedStreams('too_many');
    const bus = busOver(streams);
    await expect(bus.subscribe('run.*', () => undefined)).rejects.toThrow(EventBusUnavailableError);
    await bus.subscribe('run.*', () => undefined);
    expect(streams.opened).toBe(2);
  });
});
