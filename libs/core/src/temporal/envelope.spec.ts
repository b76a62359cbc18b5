import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { captureLagMs, envelopeFromJson, envelopeToJson, pointInTime, temporalEnvelope } from './envelope.ts';

const at = (text: string): Date => new Date(`2025-${text}T00:00:00Z`);
const TIMES = { eventTime: at('09-30'), publishTime: at('11-14'), ingestTime: at('11-15') };

describe('an envelope', () => {
  it('is effective from the event on, unless it says otherwise', () => {
    expect(temporalEnvelope(TIMES, 1).effectiveTime).toEqual(at('09-30'));
    expect(temporalEnvelope({ ...TIMES, effectiveTime: at('12-01') }, 1).effectiveTime).toEqual(at('12-01'));
  });

  it('does not change when the dates it was made from do', () => {
    const eventTime = at('09-30');
    const envelope = temporalEnvelope({ ...TIMES, eventTime }, 1);
    eventTime.setTime(0);
    expect(envelope.eventTime).toEqual(at('09-30'));
  });

  it('comes back from its JSON', () => {
    const envelope = temporalEnvelope({ ...TIMES, effectiveTime: at('10-01') }, { eps: '1.52' });
    expect(envelopeToJson(envelope)).toMatchObject({ event_time: '2025-09-30T00:00:00.000Z' });
    expect(envelopeFromJson(envelopeToJson(envelope))).toEqual(envelope);
  });

  it('is refused when it was captured before it was published, or has no time', () => {
    expect(() => temporalEnvelope({ ...TIMES, ingestTime: at('11-13') }, 1)).toThrow(
      expect.objectContaining({
        issues: [expect.objectContaining({ code: 'before_publish', field: 'ingest_time' })],
      }),
    );
    expect(() => temporalEnvelope({ ...TIMES, eventTime: new Date('x') }, 1)).toThrow(ValidationError);
  });

  it('tells how late it was captured', () => {
    expect(captureLagMs(temporalEnvelope(TIMES, 1))).toBe(86_400_000);
  });
});

it('a point-in-time read sees what its clock had struck for, the limit included', () => {
  const early = temporalEnvelope(TIMES, 'early');
  const late = temporalEnvelope({ ...TIMES, publishTime: at('11-14'), ingestTime: at('12-01') }, 'late');
  const seen = (clock: 'publishTime' | 'ingestTime', instant: Date) =>
    pointInTime([early, late], clock, instant).map(({ payload }) => payload);
  expect(seen('ingestTime', at('11-15'))).toEqual(['early']);
  expect(seen('ingestTime', at('11-14'))).toEqual([]);
  expect(seen('publishTime', at('11-14'))).toEqual(['early', 'late']);
});
