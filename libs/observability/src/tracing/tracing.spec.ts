import { afterEach, describe, expect, it } from 'vitest';
import { NO_SPAN } from './span.ts';
import type { Span, SpanOptions, Tracer } from './span.ts';
import { formatTraceparent } from './traceparent.ts';
import {
  activeTraceFields,
  activeTraceparent,
  inSpan,
  isTracing,
  startSharedSpan,
  startSpan,
  useTracer,
} from './tracing.ts';

const digits = (digit: number, count: number): string => String(digit).repeat(count);
const contextOf = (trace: number, span: number): string =>
  formatTraceparent({ traceId: digits(trace, 32), spanId: digits(span, 16), sampled: true });

/** Keeps what it is asked for. */
class Recorder implements Tracer {
  readonly started: { readonly name: string; readonly options: SpanOptions }[] = [];
  readonly said: string[] = [];

  start(name: string, options: SpanOptions): Span {
    this.started.push({ name, options });
    return {
      ...NO_SPAN,
      fail: (type) => void this.said.push(`fail ${type}`),
      end: () => void this.said.push('end'),
    };
  }

  traceparent(): string {
    return contextOf(1, 1);
  }

  fields() {
    return { trace_id: digits(1, 32), span_id: digits(1, 16) };
  }
}

function record(): Recorder {
  const recorder = new Recorder();
  useTracer(recorder);
  return recorder;
}

afterEach(() => useTracer(null));

describe('off', () => {
  it('is how it begins: work is done, nothing is known', async () => {
    expect(isTracing()).toBe(false);
    expect(await inSpan('a', {}, (span) => Promise.resolve(span.traceparent))).toBeNull();
    expect([startSpan('a'), startSharedSpan('a', [contextOf(1, 1)])]).toEqual([NO_SPAN, NO_SPAN]);
    expect([activeTraceparent(), activeTraceFields()]).toEqual([null, {}]);
    expect(NO_SPAN.run(() => 7)).toBe(7);
  });
});

describe('work in a span', () => {
  it('ends the span with what it answers', async () => {
    const recorder = record();
    expect(await inSpan('a', { kind: 'producer' }, () => Promise.resolve(7))).toBe(7);
    expect(recorder.started).toEqual([{ name: 'a', options: { kind: 'producer' } }]);
    expect(recorder.said).toEqual(['end']);
  });

  it('that throws fails the span by the name of the error, and throws on', async () => {
    const recorder = record();
    await expect(inSpan('a', {}, () => Promise.reject(new RangeError('text')))).rejects.toThrow('text');
    expect(recorder.said).toEqual(['fail RangeError', 'end']);
  });
});

describe('a span about many', () => {
  const optionsFor = (contexts: readonly (string | null)[]): SpanOptions | undefined => {
    const recorder = record();
    startSharedSpan('many', contexts);
    return recorder.started[0]?.options;
  };

  it('is none where none of them is traced', () => {
    expect(optionsFor([null, null])).toBeUndefined();
  });

  it('is under the one trace they share, and names each once', () => {
    expect(optionsFor([contextOf(1, 1), null, contextOf(1, 1)])).toEqual({
      parent: contextOf(1, 1),
      links: [],
    });
    expect(optionsFor([contextOf(1, 1), contextOf(1, 2)])).toEqual({
      parent: contextOf(1, 1),
      links: [contextOf(1, 2)],
    });
  });

  it('is by itself where they share none', () => {
    expect(optionsFor([contextOf(1, 1), contextOf(2, 2)])).toEqual({
      parent: null,
      links: [contextOf(1, 1), contextOf(2, 2)],
    });
  });

  it('names 128 at the most, and looks no further', () => {
    let looked = 0;
    function* many(): Generator<string> {
      for (;;) {
        looked += 1;
        yield formatTraceparent({
          traceId: digits(1, 32),
          spanId: String(looked).padStart(16, '0'),
          sampled: true,
        });
      }
    }
    const recorder = record();
    startSharedSpan('many', many());
    expect(recorder.started[0]?.options.links).toHaveLength(127);
    expect(looked).toBe(128);
  });
});
