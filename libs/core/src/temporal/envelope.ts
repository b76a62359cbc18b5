import { ValidationError, type ValidationIssue } from '../errors/permanent.ts';

/**
 * The four clocks of an observation. Mixing them up is how a backtest comes to use figures that nobody had yet.
 */
export const ENVELOPE_CLOCKS = ['eventTime', 'publishTime', 'ingestTime', 'effectiveTime'] as const;
export type EnvelopeClock = (typeof ENVELOPE_CLOCKS)[number];

/** A payload with the instants that say what it is about and since when it could be known. Immutable. */
export interface TemporalEnvelope<T> {
  /** When it happened in the world. */
  readonly eventTime: Date;
  /** When its source made it available. */
  readonly publishTime: Date;
  /** When we first captured it. */
  readonly ingestTime: Date;
  /** From when consumers are to treat it as valid. */
  readonly effectiveTime: Date;
  readonly payload: T;
}

export interface EnvelopeTimes {
  readonly eventTime: Date;
  readonly publishTime: Date;
  readonly ingestTime: Date;
  /** Default: the event time. */
  readonly effectiveTime?: Date;
}

const SNAKE = {
  eventTime: 'event_time',
  publishTime: 'publish_time',
  ingestTime: 'ingest_time',
  effectiveTime: 'effective_time',
} as const satisfies Record<EnvelopeClock, string>;

/**
 * An envelope around `payload`. What we captured cannot have been published later; other orders are lawful: a dividend is
 * announced before it is effective, a correction is effective before it is published.
 *
 * @throws ValidationError for an invalid Date and for an ingest time before the publish time.
 */
export function temporalEnvelope<T>(times: EnvelopeTimes, payload: T): TemporalEnvelope<T> {
  const all = { ...times, effectiveTime: times.effectiveTime ?? times.eventTime };
  const issues: ValidationIssue[] = ENVELOPE_CLOCKS.filter((clock) => Number.isNaN(all[clock].getTime())).map(
    (clock) => ({ field: SNAKE[clock], code: 'invalid_instant', message: 'must be a valid instant' }),
  );
  if (issues.length === 0 && all.ingestTime < all.publishTime) {
    issues.push({
      field: SNAKE.ingestTime,
      code: 'before_publish',
      message: `given ${all.ingestTime.toISOString()}; allowed: the publish time ${all.publishTime.toISOString()} or later`,
    });
  }
  if (issues.length > 0) {
    throw new ValidationError(issues.map(({ field, message }) => `${field}: ${message}`).join('; '), {
      issues,
    });
  }
  const copy = (clock: EnvelopeClock): Date => new Date(all[clock]);
  return Object.freeze({
    eventTime: copy('eventTime'),
    publishTime: copy('publishTime'),
    ingestTime: copy('ingestTime'),
    effectiveTime: copy('effectiveTime'),
    payload,
  });
}

/**
 * The envelopes whose `clock` had struck at `instant`, in the order given. `publishTime` answers what the world could
 * know, `ingestTime` what we knew: a point-in-time read by any other clock looks ahead.
 */
export function pointInTime<T>(
  envelopes: Iterable<TemporalEnvelope<T>>,
  clock: EnvelopeClock,
  instant: Date,
): TemporalEnvelope<T>[] {
  return [...envelopes].filter((envelope) => envelope[clock] <= instant);
}

/** Milliseconds from publication to capture: how late we are. Never negative. */
export function captureLagMs(envelope: TemporalEnvelope<unknown>): number {
  return envelope.ingestTime.getTime() - envelope.publishTime.getTime();
}

/** An envelope as records and answers carry it: RFC 3339 instants in UTC. */
export interface TemporalEnvelopeJson<T> {
  readonly event_time: string;
  readonly publish_time: string;
  readonly ingest_time: string;
  readonly effective_time: string;
  readonly payload: T;
}

export function envelopeToJson<T>(envelope: TemporalEnvelope<T>): TemporalEnvelopeJson<T> {
  return {
    event_time: envelope.eventTime.toISOString(),
    publish_time: envelope.publishTime.toISOString(),
    ingest_time: envelope.ingestTime.toISOString(),
    effective_time: envelope.effectiveTime.toISOString(),
    payload: envelope.payload,
  };
}

/** The way back. @throws ValidationError as {@link temporalEnvelope} does. */
export function envelopeFromJson<T>(json: TemporalEnvelopeJson<T>): TemporalEnvelope<T> {
  return temporalEnvelope(
    {
      eventTime: new Date(json.event_time),
      publishTime: new Date(json.publish_time),
      ingestTime: new Date(json.ingest_time),
      effectiveTime: new Date(json.effective_time),
    },
    json.payload,
  );
}
