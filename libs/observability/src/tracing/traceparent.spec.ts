import { describe, expect, it } from 'vitest';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a traceparent', () => {
  it('is read and written', () => {
    for (const flags of ['01', '00']) {
      const text = `00-${TRACE}-${SPAN}-${flags}`;
      const parsed = parseTraceparent(text);
      expect(parsed).toEqual({ traceId: TRACE, spanId: SPAN, sampled: flags === '01' });
      expect(parsed === null ? null : formatTraceparent(parsed)).toBe(text);
    }
  });

  it('of a later version is read as far as it is known', () => {
    expect(parseTraceparent(`cc-${TRACE}-${SPAN}-03-what.comes`)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      sampled: true,
    });
  });

  it.each([
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-0g`,
  ])('is not %j', (text) => {
    expect(parseTraceparent(text)).toBeNull();
  });
});
